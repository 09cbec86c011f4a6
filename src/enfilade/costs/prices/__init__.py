"""What models cost, from when, and where the figure comes from."""
