"""What reading bytes as JSON may raise, when nobody has looked at them before."""

import msgspec

UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""No JSON, or not of the expected form; nested deeper than the interpreter goes; a text that is no UTF-8, which msgspec
leaves to Python to say."""
