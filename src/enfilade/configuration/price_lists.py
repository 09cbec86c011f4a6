"""Reading the entries of a price list: all that is wrong is said at once, and one wrong entry refuses them all."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from enfilade.configuration.errors import InvalidPriceList
from enfilade.configuration.faults import message_of, path_of
from enfilade.configuration.price_parts import Price
from enfilade.configuration.values import ModelName, Start
from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.costs.errors import InvalidRule
from enfilade.costs.prices.lists import ListEntry
from enfilade.costs.prices.tariffs import price_fields, tariff_from
from enfilade.costs.prices.timeline import conflict, ordered, span

MAX_ENTRIES = 20_000
MAX_FAULTS = 500


class ListedPrice(Price):
    """An entry of a price list."""

    model: ModelName
    """A model's name, or `PROVIDER/MODEL` as it is called there; `*` stands for any text."""
    start: Annotated[Start | None, Field(alias="from", description="Its first moment; left out, it always held.")] = (
        None
    )
    to: Annotated[Start | None, Field(description="The first moment at which it no longer holds.")] = None

    model_config = ConfigDict(serialize_by_alias=True)


def read_entries(entries: Sequence[Any]) -> list[ListEntry]:
    """The entries as prices. Raises InvalidPriceList with everything that is wrong."""
    faults: list[tuple[str, str]] = []
    if not entries:
        faults.append(("prices", "the list names no model"))
    if len(entries) > MAX_ENTRIES:
        faults.append(("prices", f"a list has at most {MAX_ENTRIES} entries"))
    found: list[tuple[int, ListEntry]] = []
    for position, entry in enumerate(entries[:MAX_ENTRIES]):
        try:
            found.append((position, _entry(entry)))
        except ValidationError as error:
            for fault in error.errors():
                place = path_of((f"prices[{position}]", *fault["loc"]))
                faults.append((place, message_of(fault, ListedPrice, fault["loc"])))
        except InvalidRule as error:
            place = (error.param or "price").replace("price", f"prices[{position}]", 1)
            faults.append((place, error.message))
    faults += _overlaps(found)
    if faults:
        raise InvalidPriceList(faults[:MAX_FAULTS], len(faults))
    return [entry for _, entry in found]


def _entry(raw: Any) -> ListEntry:
    part = ListedPrice.model_validate(raw)
    price = part.model_dump(exclude_none=True, by_alias=True, exclude={"model", "start", "to"})
    start = 0 if part.start is None else to_ns(part.start)
    to = None if part.to is None else to_ns(part.to)
    if to is not None and to <= start:
        message = "it would end before it began"
        raise InvalidRule(message, param="price.to")
    return ListEntry(part.model, tariff_from(price), start, to)


def _overlaps(found: Sequence[tuple[int, ListEntry]]) -> list[tuple[str, str]]:
    """Entries of one model that hold at the same time, each with the other named."""
    faults = []
    by_model: dict[str, list[tuple[int, ListEntry]]] = {}
    for position, entry in found:
        by_model.setdefault(entry.model, []).append((position, entry))
    for model, group in by_model.items():
        for index, (position, entry) in enumerate(group):
            for other_position, other in group[:index]:
                same = other.from_ns == entry.from_ns
                if same or conflict(ordered([other]), entry) is not None:
                    message = f"{model} {span(entry)} overlaps prices[{other_position}], which holds {span(other)}"
                    faults.append((f"prices[{position}]", message))
    return faults


def entry_fields(entry: ListEntry) -> dict[str, Any]:
    """An entry in the words of the file, so that `read_entries` reads it back."""
    fields: dict[str, Any] = {"model": entry.model}
    if entry.from_ns:
        fields["from"] = to_rfc3339(entry.from_ns)
    if entry.to_ns is not None:
        fields["to"] = to_rfc3339(entry.to_ns)
    return fields | price_fields(entry.tariff)
