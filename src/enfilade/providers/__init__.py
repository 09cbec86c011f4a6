"""Where calls go: provider adapters, their credentials, and the HTTP client that reaches them."""
