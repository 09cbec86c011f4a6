"""Files that OpenAI's services keep."""

OWN_FILES = r"(?!file_01|files/|gs://|s3://|https?://).*"
"""Their ids have had several forms, so only those of Anthropic, Google and Amazon are told apart."""
