"""LangChain and pydantic-ai, unchanged but for address and key, against a real process: each over a model of another dialect."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pydantic
import pytest
from google import genai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.support.process import EnfiladeProcess
from tests.support.sdk import call, collect, forget_surroundings, joined
from tests.support.world import ACME_KEY

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
TRANSLATED = [
    ("chat", "anthropic_messages"),
    ("chat", "gemini_generate"),
    ("responses", "gemini_generate"),
    ("responses", "openai_chat"),
    ("anthropic", "openai_chat"),
    ("anthropic", "openai_responses"),
    ("google", "anthropic_messages"),
    ("google", "openai_responses"),
]
"""The dialect in which the framework asks, and that of the model."""


class Order(pydantic.BaseModel):
    """An order."""

    number: int


@tool
def find_order(number: int) -> str:
    """Finds an order."""
    return f"Order {number} is on its way."


@pytest.fixture
def url(sdk_server: EnfiladeProcess, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the process answers."""
    forget_surroundings(monkeypatch)
    return sdk_server.url


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_langchain_asks_and_streams(url: str, asks: str, dialect: str) -> None:
    model = chain(asks, f"{dialect}/echo", url)
    answer = await call(model.invoke, TEXT)
    assert answer.text == TEXT
    assert answer.usage_metadata["output_tokens"] == 7
    chunks = await collect(model.stream(TEXT))
    assert len([chunk for chunk in chunks if chunk.text]) == 7
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.text == TEXT
    assert whole.usage_metadata["output_tokens"] == 7


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_langchain_uses_tools_turn_after_turn(url: str, asks: str, dialect: str) -> None:
    model = chain(asks, f"{dialect}/tools", url).bind_tools([find_order])
    said: list[BaseMessage] = []
    for _ in range(2):
        said.append(HumanMessage("Where is it?"))
        asked = await call(model.invoke, said)
        assert [(wanted["name"], wanted["args"]) for wanted in asked.tool_calls] == [("find_order", {"number": 1})]
        said += [asked, *[find_order.invoke(wanted) for wanted in asked.tool_calls]]
        answer = await call(model.invoke, said)
        assert "Order 1 is on its way." in answer.text
        said.append(answer)


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_langchain_puts_streamed_tool_calls_together(url: str, asks: str, dialect: str) -> None:
    model = chain(asks, f"{dialect}/tools", url).bind_tools([find_order])
    chunks = await collect(model.stream("Where is it?"))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert [(wanted["name"], wanted["args"]) for wanted in whole.tool_calls] == [("find_order", {"number": 1})]


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_langchain_reads_structured_output(url: str, asks: str, dialect: str) -> None:
    # What Anthropic's class does by a tool, the others do by a schema.
    script = "tools" if asks == "anthropic" else "echo"
    model = chain(asks, f"{dialect}/{script}", url).with_structured_output(Order)
    assert await call(model.invoke, '{"number": 1}') == Order(number=1)


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_an_agent_of_pydantic_ai_uses_a_tool(agents: Any, asks: str, dialect: str) -> None:
    agent = Agent(agents(asks, f"{dialect}/tools"), instructions="Look it up.")
    asked: list[int] = []

    @agent.tool_plain
    def find_order(number: int) -> str:
        """Finds an order."""
        asked.append(number)
        return f"Order {number} is on its way."

    first = await agent.run("Where is it?")
    assert "Order 1 is on its way." in first.output
    again = await agent.run("And now?", message_history=first.all_messages())
    assert "Order 1 is on its way." in again.output
    assert asked == [1, 1]


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_an_agent_of_pydantic_ai_answers_in_the_callers_type(agents: Any, asks: str, dialect: str) -> None:
    agent = Agent(agents(asks, f"{dialect}/tools"), output_type=Order)
    assert (await agent.run("Where is it?")).output == Order(number=1)


@pytest.mark.parametrize(("asks", "dialect"), TRANSLATED)
async def test_an_agent_of_pydantic_ai_streams(agents: Any, asks: str, dialect: str) -> None:
    agent = Agent(agents(asks, f"{dialect}/echo"))
    async with agent.run_stream(TEXT) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert joined(pieces) == TEXT
    assert result.usage.output_tokens == 7


def chain(asks: str, model: str, url: str) -> Any:
    """LangChain's class for the dialect; it keeps async clients for longer than a test's event loop lives."""
    if asks == "anthropic":
        return ChatAnthropic(model=model, base_url=url, api_key=pydantic.SecretStr(ACME_KEY), max_retries=0)
    if asks == "google":
        return ChatGoogleGenerativeAI(model=model, base_url=url, google_api_key=ACME_KEY, max_retries=0)
    return ChatOpenAI(
        model=model,
        base_url=f"{url}/v1",
        api_key=pydantic.SecretStr(ACME_KEY),
        max_retries=0,
        stream_usage=True,
        use_responses_api=asks == "responses",
    )


@pytest.fixture
async def agents(url: str) -> AsyncIterator[Any]:
    """Makes pydantic-ai's model for the dialect."""
    of_openai = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=ACME_KEY, max_retries=0)
    of_anthropic = anthropic.AsyncAnthropic(base_url=url, api_key=ACME_KEY, max_retries=0)
    of_google = genai.Client(api_key=ACME_KEY, http_options={"base_url": url})

    def make(asks: str, model: str) -> Model:
        if asks == "anthropic":
            return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=of_anthropic))
        if asks == "google":
            return GoogleModel(model, provider=GoogleProvider(client=of_google))
        of = OpenAIChatModel if asks == "chat" else OpenAIResponsesModel
        return of(model, provider=OpenAIProvider(openai_client=of_openai))

    yield make
    await of_openai.close()
    await of_anthropic.close()
    await of_google.aio.aclose()
    of_google.close()
