"""A provider that lives in this process and does what its models' names say: for demos, tests and dry runs."""
