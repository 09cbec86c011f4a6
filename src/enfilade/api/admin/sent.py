"""The base of bodies that hold secrets: nothing of them is repeated in an error."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from enfilade.configuration.values import check_text


class Sent(BaseModel):
    """What somebody sends. Text that cannot be stored, or hashed, is refused before it is looked at."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        check_text(value)
        return value
