"""Where calls to Azure go: the classic form, which names the deployment in the path, and the newer one."""

from typing import Any

import pytest

from enfilade.providers.adapters.azure_openai import ADAPTER
from enfilade.providers.errors import InvalidProvider, UpstreamModelMissing
from enfilade.providers.registry import Adapters
from enfilade.providers.types import ProviderSpec, SecretReference
from tests.support.stand_in import outgoing

RESOURCE = "https://our-resource.openai.azure.com"
NEWER = {
    "openai_chat": "/openai/v1/chat/completions",
    "openai_responses": "/openai/v1/responses",
    "openai_embeddings": "/openai/v1/embeddings",
}
CLASSIC = {
    "openai_chat": "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    "openai_responses": "/openai/responses?api-version=2024-10-21",
    "openai_embeddings": "/openai/deployments/gpt-4o/embeddings?api-version=2024-10-21",
}


def spec(version: str | None = None, base_url: str = RESOURCE, **more: Any) -> ProviderSpec:
    options = {} if version is None else {"api_version": version}
    key = SecretReference(env="UP_API_KEY")
    return ProviderSpec("up", "azure_openai", base_url, key, options=options | more)


def path(dialect: str, provider: ProviderSpec, model: str = "gpt-4o") -> str:
    made = ADAPTER.paths[dialect]
    return made if isinstance(made, str) else made(outgoing(dialect, model), provider)


@pytest.mark.parametrize("dialect", NEWER)
def test_the_form_follows_the_api_version(dialect: str) -> None:
    assert path(dialect, spec()) == path(dialect, spec("v1")) == NEWER[dialect]
    assert path(dialect, spec("preview")) == NEWER[dialect] + "?api-version=preview"
    assert path(dialect, spec("2024-10-21")) == CLASSIC[dialect]


def test_an_address_may_end_with_the_newer_path() -> None:
    assert path("openai_chat", spec(base_url=RESOURCE + "/openai/v1/")) == "/chat/completions"


def test_a_deployments_name_cannot_leave_its_place() -> None:
    assert path("openai_chat", spec("2024-10-21"), "my gpt?x=1#:%").startswith(
        "/openai/deployments/my%20gpt%3Fx%3D1%23%3A%25/chat/completions?"
    )
    for name in ("../gpt", "a/b", "..", ".", "", "a\\b"):
        with pytest.raises(UpstreamModelMissing):
            path("openai_chat", spec("2024-10-21"), name)


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        (spec("2024"), "options.api_version"),
        (spec("v2"), "options.api_version"),
        (spec("2024-10-21&x=1"), "options.api_version"),
        (spec("2024-10-21", RESOURCE + "/openai/v1"), "base_url"),
        (ProviderSpec("up", "azure_openai", None, SecretReference(env="UP_API_KEY")), "base_url"),
        (spec(deployment="x"), "options"),
    ],
)
def test_what_could_never_work_is_refused(provider: ProviderSpec, param: str) -> None:
    with pytest.raises(InvalidProvider) as refusal:
        Adapters().check(provider)
    assert refusal.value.param == param


@pytest.mark.parametrize("version", [None, "v1", "preview", "2024-10-21", "2025-04-01-preview"])
def test_every_form_of_version_is_taken(version: str | None) -> None:
    Adapters().check(spec(version))
