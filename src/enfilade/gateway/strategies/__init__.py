"""In which order a model's deployments are tried, one file each; each offers itself as `STRATEGY`."""
