"""The document's part on providers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator

from enfilade.configuration.part import StrictPart
from enfilade.configuration.secret_part import Secret
from enfilade.configuration.values import Count, Duration, Label, Name


class Part(StrictPart, BaseModel):
    """The base of the parts here."""


class Timeout(Part):
    """How long each phase of a call to a provider may take."""

    connect: Duration = 5.0
    """For the connection, TLS included."""
    first_byte: Duration = 60.0
    """From the request to the first byte of the answer."""
    between_bytes: Duration = 30.0
    """The longest pause within an answer."""
    total: Duration = 600.0
    """For one attempt, from its beginning to its end."""


class Provider(Part):
    """A service that serves models."""

    name: Name
    """Yours to choose; deployments refer to it."""
    kind: Annotated[str, Field(description="Which service it is: openai, azure_openai, anthropic, gemini, vertex, …")]
    base_url: Annotated[str | None, Field(description="Optional where the kind knows its own.")] = None
    api_key: Secret | None = None
    """The key that the provider knows us by."""
    region: Annotated[Label | None, Field(description="Where it runs.")] = None
    zone: Literal["on_premise", "private_cloud", "public_cloud"] = "public_cloud"
    """What kind of place it is."""
    timeout: Timeout = Timeout()
    """How long each phase of an attempt may take."""
    max_concurrency: Annotated[Count | None, Field(le=100_000)] = None
    """How many calls may run there at once."""
    allow_private_network: Annotated[bool, Field(description="May its address be private or loopback?")] = False
    options: Annotated[
        dict[str, Any],
        Field(
            description="proxy, proxy_login_env, ca_file, client_cert, client_key, output_field, and those of the "
            "kind; one that is a secret is given like `api_key`."
        ),
    ] = {}

    @field_validator("options", mode="after")
    @classmethod
    def _with_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        return {name: _as_secret(value) for name, value in options.items()}


def _as_secret(value: Any) -> Any:
    """A secret where a value has the form of one. What has another form is refused by the kind that it is for."""
    given = {name: text for name, text in value.items() if text is not None} if isinstance(value, dict) else {}
    if len(given) == 1 and set(value) <= set(Secret.model_fields) and isinstance(next(iter(given.values())), str):
        return Secret(**given)
    return value
