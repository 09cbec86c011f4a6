"""How a secret is given in the document."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from enfilade.configuration.part import StrictPart


class Secret(StrictPart, BaseModel):
    """A secret, or where it is. Exactly one of the five."""

    env: Annotated[str | None, Field(description="The name of an environment variable.")] = None
    file: Annotated[str | None, Field(description="The path of a file.")] = None
    vault: Annotated[str | None, Field(description="A secret in HashiCorp Vault, as PATH#FIELD.")] = None
    value: Annotated[str | None, Field(description="The secret itself.", repr=False)] = None
    sealed: Annotated[str | None, Field(description="A secret that is sealed in this installation already.")] = None

    @model_validator(mode="after")
    def _one(self) -> "Secret":
        given = [name for name in ("env", "file", "vault", "value", "sealed") if getattr(self, name) is not None]
        if len(given) != 1:
            message = "a secret is given as one of {env: NAME}, {file: PATH}, {vault: PATH#FIELD} or {value: TEXT}"
            raise ValueError(message)
        return self
