"""What OpenAI's dialects share: errors with the headers about limits, and usage.

Source: the types of the official SDK (`openai.types`, `openai._exceptions`).
"""
