"""What a table of usage consists of."""

import msgspec

from enfilade.core.usage import Usage

INPUT = "input_tokens"
OUTPUT = "output_tokens"
FIELDS = Usage.__struct_fields__
NUMBER = {name: number for number, name in enumerate(FIELDS)}
"""Where a figure stands in `Usage`."""
INPUT_PARTS = frozenset(
    number for name, number in NUMBER.items() if name != INPUT and ("input" in name or "cache_write" in name)
)


class Row(msgspec.Struct, frozen=True):
    """One reported field, and the part of the usage that it becomes."""

    field: str
    """Its path, `a.b`; `a[X]` is the entry with the key X in a list `a`."""
    part: str
    """The field of `Usage`."""
    beside: bool = False
    """Whether the reported total leaves it out, so that it has to be added."""
    within: tuple[str, ...] = ()
    """Parts whose reported figures include this one, beside the total."""
    adds: bool = False
    """Whether it is added to what rows above found for the part; else it only counts where they found nothing."""

    @property
    def place(self) -> str:
        """The object or list in which it stands; empty for the report itself."""
        return self.field.partition("[")[0] if self.field.endswith("]") else self.field.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name, or its key, at that place."""
        return self.field[:-1].partition("[")[2] if self.field.endswith("]") else self.field.rpartition(".")[2]

    @property
    def total(self) -> int:
        """Where the total stands to which it is added, or -1."""
        if not self.beside or self.part in {INPUT, OUTPUT}:
            return -1
        return NUMBER[INPUT] if NUMBER[self.part] in INPUT_PARTS else NUMBER[OUTPUT]

    @property
    def is_added(self) -> bool:
        """Whether it is added to what was found before."""
        return self.adds or (self.beside and self.part in {INPUT, OUTPUT})

    @property
    def is_plain(self) -> bool:
        """Whether it can be taken as it stands."""
        return not self.within and not self.is_added
