"""From any dialect to any other, through the neutral form."""
