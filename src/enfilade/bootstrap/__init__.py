"""Where the rooms are put together: the only place that knows all of them."""
