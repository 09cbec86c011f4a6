"""HTTP: the data plane for applications, the admin API for people and tools, and what operators probe."""
