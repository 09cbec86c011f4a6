"""What the tests share: a real database, the whole program in process, scripted upstreams, real processes."""
