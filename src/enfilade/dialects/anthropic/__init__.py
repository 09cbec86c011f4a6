"""What all that speak Anthropic's messages have in common: how a request is read and written, and how errors look."""
