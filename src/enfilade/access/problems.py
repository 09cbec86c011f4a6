"""What is wrong, or odd, with policies."""

from typing import Literal

import msgspec


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something wrong, or odd, with a policy."""

    severity: Literal["error", "warning"]
    policy: str
    message: str
    line: int | None = None
    column: int | None = None
    meant: str | None = None
    """What was probably meant."""

    def __str__(self) -> str:
        """For people."""
        place = f", line {self.line}, column {self.column}" if self.line is not None else ""
        meant = f"; did you mean {self.meant!r}?" if self.meant else ""
        return f"{self.policy}{place}: {self.message}{meant}"
