"""What `enfilade spend` prints of a report."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from httpx2 import Client, MockTransport, Request, Response
from typer.testing import CliRunner

from enfilade.cli.commands import spend
from enfilade.cli.output import Exit
from enfilade.cli.remote import Remote
from enfilade.cli.root import ROOT
from enfilade.costs.spend import report

Asked = list[dict[str, str]]


def _group(name: str | None, day: str, cost: str, **more: Any) -> dict[str, Any]:
    keys = [{"by": "application", "name": name, "id": "1"}, {"by": "day", "name": day, "id": None}]
    group = {"keys": keys, "tenant": "acme", "calls": 2, "refused": 0, "failures": 1, "tokens": 7, "cost_usd": cost}
    return group | {"tokens_by_kind": {"input": 7}, "cost_by_kind_usd": {"input": cost}, "quantities": {}} | more


def _report(*groups: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    period = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T13:00:00Z"}
    sums = {"total_usd": "3.000000000", "calls": 4, "total": {"saved_usd": "0.500000000"}}
    return period | sums | {"groups": list(groups), "next": following}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the server was asked; it answers in two pages."""
    found: Asked = []
    first = _report(_group("copilot", "2026-11-01", "2.000000000"), following="more")
    second = _report(_group(None, "2026-11-02", "1.000000000", quantities={"pages": 3}))

    def answer(request: Request) -> Response:
        found.append(dict(request.url.params))
        return Response(200, json=second if "cursor" in request.url.params else first)

    server = Remote(Client(base_url="http://server", transport=MockTransport(answer)))
    give: Callable[..., Remote] = lambda url, key: server  # noqa: E731
    monkeypatch.setattr(spend, "remote", give)
    return found


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(ROOT, ["spend", *arguments], env={"COLUMNS": "200"})


def test_a_table_has_the_groups_and_says_that_there_are_more(asked: Asked) -> None:
    done = _run("--by", "app", "--grain", "day", "--where", "model=chat", "--where", "user=", "--limit", "1")
    assert done.exit_code == Exit.OK, done.output
    assert asked == [
        {"group_by": "application,day", "limit": "1", "sort": "time", "model": "chat", "user": ""},
    ]
    heading, columns, row = done.stdout.splitlines()
    assert "$3.00" in heading
    assert "saved by caches $0.50" in heading
    assert columns.split() == ["application", "day", "tenant", "calls", "failures", "tokens", "cost"]
    assert row.split()[:-1] == ["copilot", "2026-11-01", "acme", "2", "1", "7", "$2.00"]
    assert set(row.split()[-1]) == {"█"}
    assert "more groups" in done.stderr


def test_what_the_server_groups_by_can_be_asked_for_and_nothing_else(asked: Asked) -> None:
    for by in (*report.DIMENSIONS, *report.GRAINS, "metadata:team"):
        assert _run("--by", by, "--json").exit_code == Exit.OK, by
    assert [question["group_by"] for question in asked] == [*report.DIMENSIONS, *report.GRAINS, "metadata:team"]
    asked.clear()
    for by in ("mood", "metadata:", "metadata", "application,day", ""):
        refused = _run("--by", by)
        assert refused.exit_code == Exit.USAGE, by
        assert "metadata:NAME" in refused.stderr
    assert asked == []


def test_refused_calls_are_shown_where_there_are_some(capsys: pytest.CaptureFixture[str]) -> None:
    groups = [
        _group("copilot", "2026-11-01", "2.000000000"),
        _group("review", "2026-11-01", "0.000000000", calls=3, refused=3, failures=0, tokens=0),
    ]
    spend.show(["application", "day"], _report(*groups))
    _, columns, first, second = capsys.readouterr().out.splitlines()
    assert columns.split() == ["application", "day", "tenant", "calls", "refused", "failures", "tokens", "cost"]
    assert first.split()[3:7] == ["2", "0", "1", "7"]
    assert second.split() == ["review", "2026-11-01", "acme", "3", "3", "0", "0", "$0.00"]


def test_comma_separated_values_have_all_pages_and_every_kind(asked: Asked) -> None:
    done = _run("--by", "application", "--by", "day", "--csv")
    assert done.exit_code == Exit.OK, done.output
    assert [question.get("cursor") for question in asked] == [None, "more"]
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["application"], row["day"], row["cost_usd"], row["pages_quantity"]) for row in rows] == [
        ("copilot", "2026-11-01", "2.000000000", "0"),
        ("", "2026-11-02", "1.000000000", "3"),
    ]
    assert [row["input_cost_usd"] for row in rows] == ["2.000000000", "1.000000000"]


def test_models_are_the_grouping_unless_another_is_asked_for(asked: Asked) -> None:
    _run("--json")
    _run("--grain", "week", "--json")
    assert [question["group_by"] for question in asked] == ["model", "week"]


def test_a_condition_without_a_value_is_wrong_usage(asked: Asked) -> None:
    done = _run("--where", "application")
    assert done.exit_code == Exit.USAGE
    assert "application=copilot" in done.stderr
    assert asked == []


@pytest.mark.parametrize(("cost", "most", "length"), [("1", "2", 12), ("0", "0", 0), ("-1", "2", 0), ("2", "2", 24)])
def test_a_bar_is_a_share_of_the_largest(cost: str, most: str, length: int) -> None:
    assert len(spend.bar({"cost_usd": cost}, Decimal(most))) == length
