"""What Bedrock's dialects share."""
