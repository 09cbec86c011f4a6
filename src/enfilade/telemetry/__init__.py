"""Metrics, logs and traces. Names stand in one table: `names.py`."""
