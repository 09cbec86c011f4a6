"""HashiCorp Vault: a small client, its logins, and secrets that are kept fresh."""
