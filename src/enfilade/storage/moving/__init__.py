"""Moving a tenant's rows from one cell to another, while it goes on working."""
