"""Azure OpenAI and Azure AI Foundry: https://learn.microsoft.com/azure/ai-foundry/openai/reference.

A deployment's `model` is the name of the deployment in Azure. Without `api_version`, or with `v1`, the newer form is
spoken, in which the body names the deployment; with a date the classic one, in which the path does.
"""

import re

from enfilade.dialects.traits import Traits
from enfilade.providers.authorities import entra
from enfilade.providers.authority import Headers
from enfilade.providers.errors import InvalidProvider
from enfilade.providers.http_provider import HttpAdapter, PathMaker
from enfilade.providers.model_paths import in_path
from enfilade.providers.types import Outgoing, ProviderSpec

NEWER = "/openai/v1"
PREVIEW = "preview"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")


def _check(spec: ProviderSpec) -> None:
    version = str(spec.options.get("api_version", "v1"))
    if version not in {"v1", PREVIEW} and not _DATE.fullmatch(version):
        message = "api_version must be v1, preview, or a date like 2024-10-21 or 2025-04-01-preview"
        raise InvalidProvider(message, param="options.api_version")
    if version not in {"v1", PREVIEW} and _has_newer_path(spec):
        message = f"an api_version with a date belongs to the classic paths, which do not begin with {NEWER}"
        raise InvalidProvider(message, param="base_url")
    entra.check(spec)


def _has_newer_path(spec: ProviderSpec) -> bool:
    return (spec.base_url or "").rstrip("/").endswith(NEWER)


def _path(operation: str, *, of_deployment: bool) -> PathMaker:
    def path(outgoing: Outgoing, spec: ProviderSpec) -> str:
        version = spec.options.get("api_version", "v1")
        if version in {"v1", PREVIEW}:
            query = f"?api-version={version}" if version == PREVIEW else ""
            return ("" if _has_newer_path(spec) else NEWER) + operation + query
        place = f"/deployments/{in_path(outgoing.model)}" if of_deployment else ""
        return f"/openai{place}{operation}?api-version={version}"

    return path


def _unused(key: str | None) -> Headers:
    del key
    return ()


ADAPTER = HttpAdapter(
    kind="azure_openai",
    needs_key=False,  # Entra ID's tokens serve as well; see `entra.check`.
    paths={
        "openai_chat": _path("/chat/completions", of_deployment=True),
        "openai_responses": _path("/responses", of_deployment=False),
        "openai_embeddings": _path("/embeddings", of_deployment=True),
    },
    authorize=_unused,
    authority=entra.authority,
    options=entra.OPTIONS | {"api_version"},
    secret_options=entra.SECRET_OPTIONS,
    traits=Traits(output_field="max_completion_tokens"),
    check=_check,
)
