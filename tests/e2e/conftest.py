"""What the tests with the official SDKs start from."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai

from tests.support.process import EnfiladeProcess, Used, used_by
from tests.support.sdk import Office, call, forget_surroundings, sdk_process
from tests.support.world import ACME_KEY


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Used:
    """An installation with nothing in it: making the database takes longer than most tests."""
    home = tmp_path_factory.mktemp("prepared")
    path = home / "nothing.json"
    path.write_text('{"version": 1}')
    return used_by(home, "--config", str(path))


@pytest.fixture
def installed(prepared: Used, tmp_path: Path) -> Path:
    """A home of the test's own, in whose `data` Enfilade was started before."""
    prepared.copied(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def sdk_server(prepared: Used, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnfiladeProcess]:
    """One real process for all tests with SDKs."""
    home = tmp_path_factory.mktemp("sdk")
    prepared.copied(home)
    with sdk_process(home) as running:
        yield running


@pytest.fixture
async def office(sdk_server: EnfiladeProcess) -> AsyncIterator[Office]:
    """The platform owner's view of that process."""
    looking = Office(sdk_server)
    yield looking
    await looking.close()


@pytest.fixture(params=[openai.OpenAI, openai.AsyncOpenAI], ids=["sync", "async"])
async def openai_client(
    request: pytest.FixtureRequest, sdk_server: EnfiladeProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """OpenAI's SDK, pointed at the process, without retries of its own."""
    forget_surroundings(monkeypatch)
    made = request.param(base_url=f"{sdk_server.url}/v1", api_key=ACME_KEY, max_retries=0)
    yield made
    await call(made.close)


@pytest.fixture(params=[anthropic.Anthropic, anthropic.AsyncAnthropic], ids=["sync", "async"])
async def anthropic_client(
    request: pytest.FixtureRequest, sdk_server: EnfiladeProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """Anthropic's SDK, pointed at the process, without retries of its own."""
    forget_surroundings(monkeypatch)
    made = request.param(base_url=sdk_server.url, api_key=ACME_KEY, max_retries=0)
    yield made
    await call(made.close)


@pytest.fixture(params=["sync", "async"])
async def google_client(
    request: pytest.FixtureRequest, sdk_server: EnfiladeProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """Google's SDK, pointed at the process: its sync or its async part. It does not try again unless it is told to."""
    forget_surroundings(monkeypatch)
    made = genai.Client(api_key=ACME_KEY, http_options={"base_url": sdk_server.url})
    yield made if request.param == "sync" else made.aio
    await made.aio.aclose()
    made.close()


@pytest.fixture
def google_models(google_client: Any) -> Any:
    """What Google's SDK offers of models."""
    return google_client.models


@pytest.fixture
def google_chats(google_client: Any) -> Any:
    """What Google's SDK offers of chats."""
    return google_client.chats
