"""The line: one call, from the question to the settled answer."""
