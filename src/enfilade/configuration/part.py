"""What all parts of the document have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from enfilade.configuration.values import check_text


class StrictPart(BaseModel):
    """The base of all parts: unknown keys are refused, because a misspelt limit would be no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        check_text(value)
        return value
