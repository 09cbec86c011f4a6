"""What people see."""

import json

import pytest

from enfilade.cli.output import Exit, money, print_fields, print_json, print_table

LONG = "01a1fed8-72fa-7449-b36e-1d285d6d0da7"


def test_a_cell_is_never_broken_over_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table([f"column {n}" for n in range(9)], [[LONG] * 9, ["x"] * 9], empty="nothing")
    head, row, last = capsys.readouterr().out.splitlines()
    assert row.split() == [LONG] * 9
    assert last.split() == ["x"] * 9
    assert head.index("column 8") == row.rindex(LONG)
    assert last == last.rstrip()


def test_figures_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "calls#"], [["a", 5], ["b", 1234]], empty="nothing")
    assert capsys.readouterr().out.splitlines()[1:] == ["a         5", "b      1234"]


def test_an_empty_table_says_so_and_leaves_the_output_stream_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [], empty="There is no key yet.")
    assert tuple(capsys.readouterr()) == ("", "There is no key yet.\n")


def test_values_are_shown_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"is_on": True, "off": False, "none": None, "list": ["a", "b"], "map": {"x": 1, "y": None}, "z": []})
    assert [line.split(maxsplit=1)[-1] for line in capsys.readouterr().out.splitlines()] == [
        "on  yes",
        "no",
        "\N{EN DASH}",
        "a, b",
        "x=1",
        "\N{EN DASH}",
    ]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.000000000", "$0.00"),
        ("1234.500000000", "$1,234.50"),
        ("0.000004200", "$0.0000042"),
        ("10.000000000", "$10.00"),
    ],
)
def test_money_keeps_its_cents_and_drops_zeros_that_say_nothing(amount: str, shown: str) -> None:
    assert money(amount).plain == shown


def test_markup_in_values_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [["[red]x[/red]"]], empty="")
    assert "[red]x[/red]" in capsys.readouterr().out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "ü [bold]", "list": [1]})
    assert json.loads(capsys.readouterr().out) == {"text": "ü [bold]", "list": [1]}


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 3), (403, 3), (404, 4), (409, 5), (412, 5), (422, 5), (429, 5), (500, 1), (502, 6), (503, 6)],
)
def test_exit_codes_follow_the_answer(status: int, code: int) -> None:
    assert Exit.of_status(status) == code
