"""What the routes of price lists and price books share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.views import View
from enfilade.costs.prices.diff import Difference


class DifferenceView(View):
    """One figure that differs. Figures are in US dollars and in the unit that is named."""

    action: str
    model: str
    what: str
    unit: str
    old: str | None
    new: str | None
    percent: str | None


class ListToImport(BaseModel):
    """A price list."""

    model_config = ConfigDict(extra="forbid")

    prices: Annotated[
        list[Any], Field(max_length=20_000, description="Entries as in a price list's file: a model and its prices.")
    ]


def difference_view(difference: Difference) -> DifferenceView:
    """As it is shown."""
    return DifferenceView(
        action=difference.action,
        model=difference.model,
        what=difference.what,
        unit=difference.unit,
        old=difference.old,
        new=difference.new,
        percent=difference.percent,
    )
