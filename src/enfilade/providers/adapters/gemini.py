"""Google Gemini with an API key: https://ai.google.dev/api. For Google Cloud there is the kind `vertex`."""

from enfilade.providers.authority import Headers
from enfilade.providers.gemini_paths import counting, embedding, generating, is_embedding
from enfilade.providers.http_provider import HttpAdapter
from enfilade.providers.model_paths import in_path
from enfilade.providers.types import Outgoing, ProviderSpec

TUNED = "tunedModels/"


def _place(outgoing: Outgoing, spec: ProviderSpec) -> str:
    del spec
    model = outgoing.model
    if model.startswith(TUNED):
        return f"/{TUNED}{in_path(model.removeprefix(TUNED))}"
    return f"/models/{in_path(model.removeprefix('models/'))}"


def _api_key(key: str | None) -> Headers:
    return ((b"x-goog-api-key", (key or "").encode()),)


def _dialects_of(model: str) -> tuple[str, ...]:
    return ("gemini_embed", "gemini_count") if is_embedding(model) else ("gemini_generate", "gemini_count")


ADAPTER = HttpAdapter(
    kind="gemini",
    default_base_url="https://generativelanguage.googleapis.com/v1beta",
    paths={
        "gemini_generate": generating(_place),
        "gemini_embed": embedding(_place),
        "gemini_count": counting(_place),
    },
    authorize=_api_key,
    dialects_of=_dialects_of,
)
