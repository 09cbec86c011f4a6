"""The addresses of stored responses and conversations, beside the calls that make them."""
