"""What happened: the event log and the records of calls, read, filtered and exported."""
