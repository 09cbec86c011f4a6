"""What Gemini's dialects share: their fields, errors and usage, how requests are read and written.

Source: https://ai.google.dev/api/generate-content and the types of the official SDK (`google.genai.types`).
"""
