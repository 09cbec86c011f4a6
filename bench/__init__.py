"""The benchmark: how fast the gateway is, and how much memory it takes, beside a bare proxy in the same run."""
