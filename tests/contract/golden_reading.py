"""What is compared of questions and answers that went through two dialects."""

from typing import Any

import msgspec

from enfilade.core.messages import Conversation
from enfilade.dialects.codec import Operation
from tests.contract.golden_files import PLAIN_QUESTION
from tests.contract.neutral import Exchange, question_from, said, unsealed, unsealed_part
from tests.contract.wires.wire import compact

SEALS = ("signature", "data", "thoughtSignature", "encrypted_content", "redactedContent")


def heard(dialect: str, rendered: dict[str, Any]) -> dict[str, Any]:
    """What a caller's reply says, read as if it were a provider's."""
    return comparable(Exchange(question_from(PLAIN_QUESTION, Operation.GENERATE), dialect, {}).whole(compact(rendered)))


def heard_streamed(dialect: str, wire: bytes) -> dict[str, Any]:
    """What a caller's stream says, read as if it were a provider's."""
    return comparable(Exchange(question_from(PLAIN_QUESTION, Operation.GENERATE), dialect, {}).streamed([wire]))


def opened_question(question: Any) -> Any:
    """The question without the envelopes that its caller carried."""
    if not isinstance(question, Conversation):
        return question
    turns = tuple(
        msgspec.structs.replace(turn, parts=tuple(unsealed_part(part) for part in turn.parts))
        for turn in question.messages
    )
    return msgspec.structs.replace(question, messages=turns)


def seals_in(body: Any) -> list[tuple[str, str]]:
    """The seals of a request to a provider, in their order, each with the name of its place."""
    if isinstance(body, dict):
        own = [(name, body[name]) for name in SEALS if isinstance(body.get(name), str)]
        return own + [seal for value in body.values() for seal in seals_in(value)]
    return [seal for value in body for seal in seals_in(value)] if isinstance(body, list) else []


def comparable(answer: Any) -> dict[str, Any]:
    """An answer without the names and times that each way of answering gives itself."""
    shown: dict[str, Any] = said(unsealed(answer))
    for part in shown["parts"]:
        part.pop("item_id", None)
        if part["type"] == "reasoning":
            part.pop("id", None)
            if "seal" in part:
                part["seal"]["value"] = part["seal"]["value"].rpartition("#")[2]  # OpenAI's holds the item's id too.
    return {name: value for name, value in shown.items() if name not in {"id", "model", "created_s"}}
