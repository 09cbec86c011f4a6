"""What models can do: from data, and from what administrators say."""
