"""How many searches a request may cost."""

import json
from typing import Any

import pytest

from enfilade.dialects.members import anthropic_messages, gemini_generate, openai_chat, openai_responses
from enfilade.dialects.searches import MOST_SEARCHES

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
MESSAGES: dict[str, Any] = CHAT | {"max_tokens": 9}
RESPONSES: dict[str, Any] = {"model": "m", "input": "Hi"}
GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
GEMINI_PATH = "/v1beta/models/m:generateContent"
FUNCTION = {"type": "function", "function": {"name": "web_search", "parameters": {}}}


def searches(dialect: Any, body: dict[str, Any], target: str = "") -> int:
    found: int = dialect.parse(json.dumps(body).encode(), target).searches
    return found


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        (None, 0),
        ([], 0),
        ([{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}], 3),
        ([{"type": "web_search_20260209", "name": "web_search"}], MOST_SEARCHES),
        ([{"type": "web_search_20250305", "name": "web_search", "max_uses": None}], MOST_SEARCHES),
        ([{"type": "web_search_20250305", "name": "web_search", "max_uses": "3"}], MOST_SEARCHES),
        ([{"type": "web_search_20250305", "name": "web_search", "max_uses": -3}], MOST_SEARCHES),
        ([{"name": "web_search", "input_schema": {}}], 0),
        ([{"type": "custom", "name": "web_search", "input_schema": {}}], 0),
        ([{"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 3}], 0),
        ([{"type": "web_search_20250305", "max_uses": 3}, {"name": "a", "input_schema": {}}], 3),
        ("web_search", MOST_SEARCHES),
    ],
)
def test_anthropics_search_tool_bounds_searches(tools: Any, expected: int) -> None:
    body = MESSAGES if tools is None else MESSAGES | {"tools": tools}
    assert searches(anthropic_messages.DIALECT, body) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 0),
        ({"tools": [{"type": "web_search"}]}, MOST_SEARCHES),
        ({"tools": [{"type": "web_search_preview"}]}, MOST_SEARCHES),
        ({"tools": [{"type": "web_search"}], "max_tool_calls": 2}, 2),
        ({"tools": [{"type": "web_search"}], "max_tool_calls": 50}, MOST_SEARCHES),
        ({"tools": [{"type": "web_search"}], "max_tool_calls": None}, MOST_SEARCHES),
        ({"tools": [{"type": "web_search"}], "max_tool_calls": "2"}, MOST_SEARCHES),
        ({"tools": [{"type": "x_search"}]}, MOST_SEARCHES),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, 0),
        ({"tools": [{"type": "function", "name": "web_search"}], "max_tool_calls": 2}, 0),
    ],
)
def test_the_search_tool_of_responses_bounds_searches(more: dict[str, Any], expected: int) -> None:
    assert searches(openai_responses.DIALECT, RESPONSES | more) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 0),
        ({"web_search_options": {}}, MOST_SEARCHES),
        ({"web_search_options": None}, 0),
        ({"web_search_options": {"search_context_size": "low"}, "n": 3}, 3 * MOST_SEARCHES),
        ({"tools": [FUNCTION]}, 0),
        ({"tools": [FUNCTION, {"type": "openrouter:web_search"}]}, MOST_SEARCHES),
    ],
)
def test_search_options_of_chat_bound_searches(more: dict[str, Any], expected: int) -> None:
    assert searches(openai_chat.DIALECT, CHAT | more) == expected


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        (None, 0),
        ([{"googleSearch": {}}], MOST_SEARCHES),
        ([{"google_search": {}}], MOST_SEARCHES),
        ([{"googleSearchRetrieval": {"dynamicRetrievalConfig": {}}}], MOST_SEARCHES),
        ([{"google_search_retrieval": {}}], MOST_SEARCHES),
        ([{"enterpriseWebSearch": {}}], MOST_SEARCHES),
        ([{"googleSearch": None}], 0),
        ([{"functionDeclarations": [{"name": "googleSearch"}]}], 0),
        ([{"urlContext": {}}], 0),
    ],
)
def test_googles_search_tools_bound_searches(tools: Any, expected: int) -> None:
    body = GEMINI if tools is None else GEMINI | {"tools": tools}
    assert searches(gemini_generate.DIALECT, body, GEMINI_PATH) == expected
    more = body | {"generationConfig": {"candidateCount": 2}}
    assert searches(gemini_generate.DIALECT, more, GEMINI_PATH) == 2 * expected


def test_a_tool_that_is_written_with_escapes_is_found() -> None:
    body = json.dumps(MESSAGES | {"tools": [{"type": "web_search_20250305", "max_uses": 3}]})
    assert anthropic_messages.DIALECT.parse(body.replace("web_search", "web\\u005fsearch").encode()).searches == 3
    body = json.dumps(GEMINI | {"tools": [{"googleSearch": {}}]}).replace("googleSearch", "google\\u0053earch")
    assert gemini_generate.DIALECT.parse(body.encode(), GEMINI_PATH).searches == MOST_SEARCHES
