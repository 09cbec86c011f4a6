"""What is served where, in words: for whoever has to look at every address."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Served:
    """One method at one address."""

    method: str
    path: str
    """With `{placeholders}` for what it names."""
    guard: str
    """Who may ask."""
    reach: str = "one"
    """`platform`: for the platform's own people alone. `public`: for everybody."""
    parameters: frozenset[str] = frozenset()
    """The query parameters that it declares."""
    has_body: bool = False
    """Whether it declares a body; raw ones are not declared."""

    @property
    def name(self) -> str:
        """Method and address."""
        return f"{self.method} {self.path}"
