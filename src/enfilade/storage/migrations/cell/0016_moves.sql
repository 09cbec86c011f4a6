-- Moves: what changed while a tenant is copied to another cell.
SELECT;
