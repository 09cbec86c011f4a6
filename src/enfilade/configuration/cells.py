"""Cells in the document, and between there and the room's own form."""

from typing import Annotated, Any, Literal

from pydantic import Field

from enfilade.configuration.part import StrictPart
from enfilade.configuration.secret_part import Secret
from enfilade.identity.errors import InvalidSpecification
from enfilade.identity.types import CellSpec

Isolation = Literal["row", "schema", "database"]


class Cell(StrictPart):
    """A database in which, or next to which, tenants can live. The installation's own is the cell `home`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    """The cell's name, by which tenants may ask for it."""
    address: Annotated[
        Secret | None,
        Field(description="postgresql://… with the owner's name and password, as a reference; none for `home`."),
    ] = None
    region: Annotated[
        str | None, Field(max_length=100, description="Where it is; tenants of that region go there.")
    ] = None
    capacity: Annotated[int | None, Field(ge=0, description="How many tenants it takes.")] = None
    isolation: Annotated[list[Isolation], Field(min_length=1, default_factory=lambda: ["row", "schema", "database"])]
    """The strengths of isolation that it offers."""


def cell_spec(part: Cell) -> CellSpec:
    """For the room. Raises InvalidSpecification for an address that is no reference."""
    address = None if part.address is None else part.address.model_dump(exclude_none=True)
    if address is not None and not address.keys() <= {"env", "file", "vault"}:
        message = "an address is given as {env: NAME}, {file: PATH} or {vault: PATH#FIELD}, never itself"
        raise InvalidSpecification(message, param="address")
    return CellSpec(part.name, address, part.region, part.capacity, tuple(dict.fromkeys(part.isolation)))


def cell_fields(spec: CellSpec) -> dict[str, Any]:
    """In the document's words."""
    return {
        "name": spec.name,
        "address": spec.address,
        "region": spec.region,
        "capacity": spec.capacity,
        "isolation": list(spec.isolation),
    }
