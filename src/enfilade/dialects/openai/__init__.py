"""What OpenAI's dialects share: errors with the headers about limits, usage, and how media are written.

Source: the types of the official SDK (`openai.types`, `openai._exceptions`).
"""
