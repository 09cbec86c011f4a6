"""The whole platform as one document: read, planned, applied, exported."""
