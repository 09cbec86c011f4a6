"""The admin API: what all of its routes share."""
