"""What keeps tenants apart in the database, enumerated and tried."""
