"""What callers of the Responses API leave with us between their calls."""
