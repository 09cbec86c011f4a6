"""Who is asking: tenants, departments, applications, users, keys, and the directory that holds them in memory."""
