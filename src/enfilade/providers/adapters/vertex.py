"""Google Vertex AI: https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest.

Gemini, embeddings and Claude, at one project in one location. Without a project there is the express mode, in which a
plain API key says enough.
"""

import re

from enfilade.dialects.traits import Traits
from enfilade.providers.authorities import google
from enfilade.providers.authority import Headers
from enfilade.providers.errors import InvalidProvider, UpstreamModelMissing
from enfilade.providers.gemini_paths import counting, embedding, generating, is_embedding
from enfilade.providers.http_provider import HttpAdapter
from enfilade.providers.model_paths import in_path
from enfilade.providers.types import Outgoing, ProviderSpec
from enfilade.providers.vertex_bodies import answer, reshape

CLAUDE = "anthropic"
MULTI_REGIONS = ("us", "eu")

_LOCATION = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{0,99}")


def _location(spec: ProviderSpec) -> str:
    return str(spec.options.get("location") or spec.region or "global")


def _base_url(spec: ProviderSpec) -> str:
    location = _location(spec)
    if location == "global" or spec.options.get("project") is None:
        return "https://aiplatform.googleapis.com/v1"
    if location in MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com/v1"
    return f"https://{location}-aiplatform.googleapis.com/v1"


def _check(spec: ProviderSpec) -> None:
    options = spec.options
    if not _LOCATION.fullmatch(_location(spec)):
        message = "the location (or region) must look like europe-west4, us, eu or global"
        raise InvalidProvider(message, param="options.location" if "location" in options else "region")
    if (project := options.get("project")) is not None and not _PROJECT.fullmatch(str(project)):
        raise InvalidProvider("project must be the id of a project of Google Cloud", param="options.project")
    if (chosen := options.get("credentials")) not in {None, "metadata"}:
        message = f"credentials must be metadata, or be left out; it is {chosen!r}"
        raise InvalidProvider(message, param="options.credentials")
    if (chosen is None) == (spec.api_key is None):
        message = (
            "give one of: an api_key, which is a service account's document, an external account's document or a plain "
            "API key; credentials: metadata"
        )
        raise InvalidProvider(message, param="api_key")
    if chosen is not None and project is None:
        raise InvalidProvider("credentials: metadata needs a project", param="options.project")


def _publisher_and_name(model: str) -> tuple[str, str]:
    """From `gemini-…`, `claude-…`, `publishers/PUBLISHER/models/NAME` or `PUBLISHER/NAME`."""
    name = model.removeprefix("publishers/")
    publisher, slash, rest = name.partition("/")
    if not slash:
        return (CLAUDE if name.startswith("claude-") else "google"), name
    if publisher == "models":
        return "google", rest
    return publisher, rest.removeprefix("models/")


def _within(spec: ProviderSpec) -> str:
    project = spec.options.get("project")
    return "" if project is None else f"/projects/{project}/locations/{_location(spec)}"


def _place(outgoing: Outgoing, spec: ProviderSpec) -> str:
    model = outgoing.model
    if model.startswith("endpoints/"):  # A tuned model.
        return f"{_within(spec)}/endpoints/{in_path(model.removeprefix('endpoints/'))}"
    publisher, name = _publisher_and_name(model)
    return f"{_within(spec)}/publishers/{in_path(publisher)}/models/{in_path(name)}"


def _claude(outgoing: Outgoing, spec: ProviderSpec) -> str:
    if spec.options.get("project") is None:
        raise UpstreamModelMissing("Claude is served by Vertex AI within a project only; see the option `project`.")
    publisher, name = _publisher_and_name(outgoing.model)
    in_path(publisher)  # It does not stand in the path, and should be a name all the same.
    method = "streamRawPredict" if outgoing.stream else "rawPredict"
    return f"{_within(spec)}/publishers/{CLAUDE}/models/{in_path(name)}:{method}"


def _counting_claude(outgoing: Outgoing, spec: ProviderSpec) -> str:
    _claude(outgoing, spec)
    return f"{_within(spec)}/publishers/{CLAUDE}/models/count-tokens:rawPredict"


def _dialects_of(model: str) -> tuple[str, ...]:
    if _publisher_and_name(model)[0] == CLAUDE:
        return ("anthropic_messages", "anthropic_count")
    return ("gemini_embed",) if is_embedding(model) else ("gemini_generate", "gemini_count")


def _unused(key: str | None) -> Headers:
    del key
    return ()


ADAPTER = HttpAdapter(
    kind="vertex",
    default_base_url=_base_url,
    needs_key=False,  # The machine's own service account serves as well; see `_check`.
    paths={
        "gemini_generate": generating(_place),
        "anthropic_messages": _claude,
        "gemini_embed": embedding(_place),
        "gemini_count": counting(_place),
        "anthropic_count": _counting_claude,
    },
    authorize=_unused,
    authority=google.authority,
    options=frozenset({"project", "location", "credentials"}),
    traits=Traits(wraps_count=False),
    reshape=reshape,
    answer=answer,
    check=_check,
    dialects_of=_dialects_of,
)
