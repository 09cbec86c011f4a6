"""How a stream is written for its caller: as events, or as one JSON array."""

EVENT = b"data: "
END_OF_EVENT = b"\r\n\r\n"


class Framing:
    """One stream's ends and separators."""

    __slots__ = ("_as_array", "_begun")

    def __init__(self, *, as_array: bool) -> None:
        """Write an array, or events."""
        self._as_array = as_array
        self._begun = False

    def entry(self, data: bytes) -> bytes:
        """One chunk."""
        if not self._as_array:
            return EVENT + data + END_OF_EVENT
        before = b"," if self._begun else b"["
        self._begun = True
        return before + data + b"\r\n"

    def end(self) -> bytes:
        """What comes after the last chunk."""
        if not self._as_array:
            return b""
        return b"]" if self._begun else b"[]"
