"""Cursors of usage events."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.costs.spend.usage_events import Position

POSITIONS = st.builds(
    Position,
    xact=st.integers(0, 2**63 - 1),
    call_id=st.uuids().map(str),
    line=st.integers(-1, 2**15 - 1),
)


def packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(POSITIONS)
def test_a_cursor_leads_back_to_its_position(position: Position) -> None:
    assert Position.of_cursor(position.cursor()) == position


NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "ä",
        "====",
        packed("1|2"),
        packed(f"1|{NOBODY}|0|0"),
        packed(f"-1|{NOBODY}|0"),
        packed(f"{2**63}|{NOBODY}|0"),
        packed(f"1|{NOBODY}|{2**15}"),
        packed(f"1|{NOBODY}|-2"),
        packed(f" 1|{NOBODY}|0"),
        packed(f"1_0|{NOBODY}|0"),
        packed(f"1|{{{NOBODY}}}|0"),
        packed(f"1|{NOBODY}|0") + "=",
        packed("9" * 5000 + f"|{NOBODY}|0"),
    ],
)
def test_what_was_never_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Position.of_cursor(cursor)


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        position = Position.of_cursor(text)
    except ValueError:
        return
    assert position.cursor() == text
