"""A question as its target takes it: one place for all pairs of dialects."""

from typing import Any

import msgspec

from enfilade.core.messages import Conversation, Message, Question, Role, Text
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.settings import fit_settings
from enfilade.dialects.translation.tools import fit_tools
from enfilade.dialects.translation.turns import Turns
from enfilade.dialects.translation.types import Aim, Memo


def fit(question: Any, aim: Aim, losses: Losses, memo: Memo) -> Any:
    """The question as the aim takes it; what is left out stands in `losses`. Raises NotTranslatable."""
    if isinstance(question, Question):
        return _fit_embedding(question, aim, losses)
    fitted: Conversation = fit_settings(question, aim, losses)
    fitted = fit_tools(fitted, aim, losses, memo)
    wanted = fitted.response_format
    if aim.rules.json_by_word and wanted is not None and wanted.kind == "json" and not _speaks_of_json(fitted):
        # Between the turns, as not every dialect counts the instructions at the beginning.
        turn = Message(Role.SYSTEM, (Text("Answer in JSON."),))
        fitted = msgspec.structs.replace(fitted, messages=(turn, *fitted.messages))
    return Turns(aim, losses, memo).fit(fitted)


def _speaks_of_json(question: Conversation) -> bool:
    return any(
        isinstance(part, Text) and "json" in part.text.lower()
        for message in question.messages
        for part in message.parts
    )


def _fit_embedding(question: Question, aim: Aim, losses: Losses) -> Question:
    for name in question.foreign:
        losses.refuse(name, "means nothing outside the dialect of the request")
    for name in question.harmless:
        losses.drop(name)
    if question.token_inputs and "token_inputs" not in aim.takes:
        losses.refuse("inputs", "must be text: tokens are of one provider's own making")
    if question.dimensions is not None and "dimensions" not in aim.takes:
        losses.refuse("dimensions")
    changes: dict[str, Any] = {}
    for name in ("task", "title", "user"):
        if getattr(question, name) is not None and name not in aim.takes:
            losses.drop(name)
            changes[name] = None
    return msgspec.structs.replace(question, **changes) if changes else question
