"""Parts that can only be written one after the other, since the dialect runs their words together."""


class Lane:
    """Which part is being written, and what the others have said meanwhile."""

    __slots__ = ("_ended", "_waiting", "open")

    def __init__(self) -> None:
        """Start with nothing."""
        self.open: int | None = None
        self._waiting: dict[int, list[str]] = {}
        self._ended: set[int] = set()

    def begin(self, index: int) -> bool:
        """A part has begun; tell whether it may be written at once."""
        if self.open is None:
            self.open = index
            return True
        self._waiting[index] = []
        return False

    def hold(self, index: int, words: str) -> None:
        """Words of a part that waits."""
        waiting = self._waiting.get(index)
        if waiting is not None:
            waiting.append(words)

    def end(self, index: int) -> None:
        """A part that waits is whole."""
        self._ended.add(index)

    def next(self) -> tuple[int, str, bool] | None:
        """The part whose turn it is, what it has said so far, and whether that is all."""
        if not self._waiting:
            return None
        index = next(iter(self._waiting))
        self.open = index
        return index, "".join(self._waiting.pop(index)), index in self._ended
