"""Local accounts: passwords, second factors, recovery codes, and the slowing of whoever guesses."""
