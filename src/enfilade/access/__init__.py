"""Who may use what, for what, and why."""
