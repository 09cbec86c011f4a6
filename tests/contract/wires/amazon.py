"""Bedrock's dialects, judged by botocore."""

from typing import Any

from botocore.parsers import create_parser

from tests.contract.wires.wire import Json, Wire, compact, frames
from tests.support.bedrock_rules import check_converse, service_model


def _converse_request(body: Json) -> None:
    check_converse(body)


def _converse_reply(body: Json) -> None:
    shape = service_model().operation_model("Converse").output_shape
    found = create_parser("rest-json").parse({"status_code": 200, "headers": {}, "body": compact(body)}, shape)
    assert set(body) <= set(found)


def _converse_stream(events: list[Any]) -> None:
    known = service_model().shape_for("ConverseStreamOutput").members
    for event in events:
        (kind, held), *others = event.items()
        assert not others
        # Padding stands in every event, and in no model.
        assert set(held) - {"p"} <= set(known[kind].members)


def _nothing(_value: Any) -> None:
    """Neither model nor SDK has types for it: the bodies of single models stand in their makers' documentation."""


BEDROCK_CONVERSE = Wire(
    to_bytes=frames,
    check_request=_converse_request,
    check_reply=_converse_reply,
    check_stream=_converse_stream,
    unsaid=frozenset({"created_s", "id", "model"}),
)
BEDROCK_TITAN_EMBED = Wire(check_request=_nothing, check_reply=_nothing, unsaid=frozenset({"model"}))
BEDROCK_COHERE_EMBED = Wire(check_request=_nothing, check_reply=_nothing, unsaid=frozenset({"model"}))
