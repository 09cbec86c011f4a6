"""The neutral form's own promises."""

import pytest

from enfilade.core.messages import Conversation, Media, Message, Role, Text, ToolCall, ToolResult
from enfilade.core.usage import MAX_TOKENS, Usage


def test_the_last_words_of_the_user_are_found() -> None:
    conversation = Conversation(
        (
            Message(Role.USER, (Text("first"),)),
            Message(Role.USER, (Text("one "), Media("image", url="https://a.example"), Text("two"))),
            Message(Role.ASSISTANT, (Text("answer"), ToolCall("c", "f", "{}"))),
        )
    )
    assert conversation.last_user_text() == "one two"


@pytest.mark.parametrize(
    "messages", [(), (Message(Role.ASSISTANT, (Text("x"),)),), (Message(Role.USER, (ToolResult("c"),)),)]
)
def test_without_words_of_the_user_there_are_none(messages: tuple[Message, ...]) -> None:
    assert Conversation(messages).last_user_text() == ""


@pytest.mark.parametrize(
    ("usage", "plausible"),
    [
        (Usage(), True),
        (Usage(10, 4, 3, 3, 5, 5), True),
        (Usage(MAX_TOKENS, output_tokens=MAX_TOKENS), True),
        (Usage(10, 4, 4, 3), False),
        (Usage(-1), False),
        (Usage(MAX_TOKENS + 1), False),
        (Usage(output_tokens=MAX_TOKENS + 1), False),
        (Usage(output_tokens=-1), False),
        (Usage(output_tokens=3, reasoning_tokens=4), False),
        (Usage(output_tokens=3, reasoning_tokens=-1), False),
        (Usage(10, -1), False),
        (Usage(10, 5, -2), False),
        (Usage(10, 5, 2, -1), False),
    ],
)
def test_figures_that_cannot_be_are_told_from_those_that_can(usage: Usage, plausible: bool) -> None:
    assert usage.is_plausible() is plausible
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
