"""What a call cost, line by line: by kind and rate, with lost attempts, substituted models, oddities and corrections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    MODEL,
    UP_ENVIRONMENT,
    house_at,
    model,
    provider,
    question,
    served,
    whole_reply,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import Upstream, hang_up, open_upstream, reply
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, world

USUAL = {"prompt_tokens": 12, "completion_tokens": 3}
LONG = [{"role": "user", "content": "word " * 500}]
"""Long enough for a thousand tokens to be held."""
DATED = {"model": "gpt-4o-2024-08-06"}
OTHER = {"model": "gpt-4"}
UNHEARD = {"model": "a-model-nobody-heard-of"}


def answer(usage: dict[str, Any] | None, **more: Any) -> Any:
    """A provider's answer with this usage."""
    body = whole_reply(CHAT) | more
    body.pop("usage")
    return reply(body if usage is None else body | {"usage": usage})


@asynccontextmanager
async def house_answering(database: Address, usage: dict[str, Any] | None) -> AsyncIterator[House]:
    """A house in which `up-model` answers with this usage."""
    async with open_upstream(answer(usage)) as upstream, house_at(database, upstream) as house:
        yield house


async def ask(house: House, name: str = MODEL, **more: Any) -> str:
    """Make a call; its id."""
    got = await house.client(ACME_KEY).post(CHAT, json=question(CHAT, name, **more))
    assert got.status_code == 200, got.text
    return str(got.headers["x-request-id"])


async def costs(house: House, call: str, key: str = ACME_ADMIN_KEY) -> dict[str, Any]:
    """The explanation of a call."""
    got = await house.client(key).get(f"/api/v1/calls/{call}/costs")
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.json()
    return found


def lines_of(entry: dict[str, Any]) -> dict[str, tuple[int, Decimal, Decimal]]:
    """Quantity, price and amount by kind."""
    return {
        line["kind"]: (line["quantity"], Decimal(line["price_usd"]), Decimal(line["amount_usd"]))
        for line in entry["lines"]
    }


def openai(upstream: Upstream, *, base_url: str | None = None, **prices: Any) -> dict[str, Any]:
    """The world with `up-model` at OpenAI's, whose prices are published."""
    document = world()
    declared = provider(upstream, CHAT) | {"kind": "openai"}
    document["providers"].append(declared)
    document["models"].append(model(MODEL, "up/gpt-4o") | prices)
    if not prices:
        del document["models"][-1]["price"]
    return document


async def test_each_kind_has_its_line_and_the_lines_add_up(database: Address) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    price = {"input": 1, "output": 2, "cached_input": 0.1, "audio_input": 10, "reasoning": 3}
    async with open_upstream(answer(usage)) as upstream, house_at(database, upstream) as house:
        put = await house.admin().put(f"/api/v1/prices/{MODEL}", json={"price": price})
        assert put.status_code == 200, put.text

        found = await costs(house, await ask(house, messages=LONG))

    (entry,) = found["entries"]
    assert lines_of(entry) == {
        "input": (500, Decimal(1), Decimal("0.0005")),
        "cached_input": (400, Decimal("0.1"), Decimal("0.00004")),
        "audio_input": (100, Decimal(10), Decimal("0.001")),
        "output": (20, Decimal(2), Decimal("0.00004")),
        "reasoning": (30, Decimal(3), Decimal("0.00009")),
    }
    assert Decimal(found["total_usd"]) == Decimal("0.00167")
    assert Decimal(entry["saved_usd"]) == Decimal("0.00036")
    assert entry["price_version"].startswith(f"override:{MODEL}@")
    assert entry["flags"] == []


async def test_last_months_call_is_explained_by_last_months_price(database: Address) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}
    async with open_upstream(answer(usage)) as upstream, house_at(database, upstream) as house:
        earlier = await ask(house)
        price = {"input": 7, "output": 7}
        await house.admin().put(f"/api/v1/prices/{MODEL}", json={"price": price})
        await eventually(lambda: _priced(house, "7"))
        later = await ask(house)

        before, after = await costs(house, earlier), await costs(house, later)

    assert lines_of(before["entries"][0])["input"][1] == 1
    assert lines_of(after["entries"][0])["input"][1] == 7
    assert before["entries"][0]["price_version"] != after["entries"][0]["price_version"]


async def _priced(house: House, figure: str) -> bool:
    got = (await house.admin().get(f"/api/v1/prices/{MODEL}")).json()
    return bool(Decimal(got["deployments"][0]["price"]["input"]) == Decimal(figure))


async def test_a_lost_attempt_has_an_entry_of_its_own_where_it_was_lost(database: Address) -> None:
    async with (
        open_upstream(hang_up) as bad,
        open_upstream(answer({"prompt_tokens": 12, "completion_tokens": 3})) as good,
    ):
        document = world()
        document["providers"] += [provider(bad, CHAT, "bad"), provider(good, CHAT, "good")]
        document["models"].append(model(MODEL, "bad/m", "good/n"))
        options = HouseOptions(document=document, environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            call = await ask(house)
            found = await costs(house, call)
            record = (await house.admin().get(f"/api/v1/calls/{call}")).json()

    settled, lost = found["entries"]
    assert (settled["line"], settled["deployment"], settled["flags"]) == (0, "good/n", [])
    assert lines_of(settled) == {
        "input": (12, Decimal(1), Decimal("0.000012")),
        "output": (3, Decimal(2), Decimal("0.000006")),
    }
    assert (lost["line"], lost["attempt"], lost["deployment"]) == (1, 1, "bad/m")
    assert lost["flags"] == ["estimated_usage"]
    assert lines_of(lost)["output"] == (100, Decimal(2), Decimal("0.0002"))
    assert sum(Decimal(entry["amount_usd"]) for entry in found["entries"]) == Decimal(found["total_usd"])
    assert record["cost_usd"] == found["total_usd"]
    assert record["estimated"]


@pytest.mark.parametrize(
    ("usage", "flag"),
    [
        (None, "usage_missing"),
        ({"prompt_tokens": -5, "completion_tokens": 3}, "usage_impossible"),
        (
            {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 6}},
            "usage_impossible",
        ),
        ({"prompt_tokens": 5, "completion_tokens": 10**15}, "usage_impossible"),
    ],
    ids=["missing", "negative", "cached-beyond-input", "absurd"],
)
async def test_usage_that_cannot_be_is_estimated_flagged_and_shown(
    database: Address, usage: dict[str, Any] | None, flag: str
) -> None:
    async with open_upstream(answer(usage)) as upstream, house_at(database, upstream) as house:
        call = await ask(house)
        (entry,) = (await costs(house, call))["entries"]
        record = (await house.admin().get(f"/api/v1/calls/{call}")).json()

    assert entry["flags"] == ["estimated_usage", flag]
    assert len(entry["remarks"]) == 2
    assert 0 < Decimal(entry["amount_usd"]) < Decimal("0.001")
    assert record["estimated"]


async def test_a_dated_name_of_the_same_model_is_no_substitution(database: Address) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    async with open_upstream(answer(usage, **DATED)) as upstream:
        options = HouseOptions(document=openai(upstream), environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            (entry,) = (await costs(house, await ask(house, messages=LONG)))["entries"]

    assert entry["flags"] == []
    assert entry["price_version"].endswith("/gpt-4o")


async def test_a_dearer_model_that_answers_instead_is_charged_its_own_price_and_told_of(database: Address) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    async with open_upstream(answer(usage, **OTHER)) as upstream:
        options = HouseOptions(document=openai(upstream), environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            found = await costs(house, await ask(house, messages=LONG))

    (entry,) = found["entries"]
    assert found["upstream_model"] == "gpt-4"
    assert "substituted" in entry["flags"]
    assert entry["price_version"].endswith("/gpt-4")
    assert Decimal(entry["amount_usd"]) == Decimal("0.0306")  # 30 and 60 USD per million


async def test_a_model_without_a_price_that_answers_instead_is_charged_as_asked_and_told_of(database: Address) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    async with open_upstream(answer(usage, **UNHEARD)) as upstream:
        options = HouseOptions(document=openai(upstream), environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            (entry,) = (await costs(house, await ask(house, messages=LONG)))["entries"]
            await ask(house, messages=LONG)
            events = (await house.admin().get("/api/v1/events?type=UnpricedSettlement")).json()["items"]

    assert entry["flags"] == ["substituted", "unpriced"]
    assert entry["price_version"].endswith("/gpt-4o")
    assert Decimal(entry["amount_usd"]) == Decimal("0.0026")
    assert len(events) == 1  # Told once an hour, though both calls carry the flag.


async def test_more_than_was_held_is_posted_flagged_and_told_of(database: Address) -> None:
    usage = {"prompt_tokens": 100_000, "completion_tokens": 3}
    async with open_upstream(answer(usage)) as upstream, house_at(database, upstream) as house:
        call = await ask(house)
        (entry,) = (await costs(house, call))["entries"]
        events = (await house.admin().get("/api/v1/events?type=OverrunSettlement")).json()["items"]

    assert entry["flags"] == ["overrun"]
    assert Decimal(entry["amount_usd"]) > Decimal(entry["overrun_usd"]) > 0
    assert [event["event"]["data"]["call"] for event in events] == [call]


async def test_a_question_asked_again_shows_what_a_cache_would_have_saved(database: Address) -> None:
    async with house_answering(database, USUAL) as house:
        for text in ("Good morning", "Good evening", "Good morning"):
            await ask(house, messages=[{"role": "user", "content": text}])
        await house.parts.writer.flush()
        async with house.unit(house.tenant_id("acme")) as unit:
            rows = await unit.fetch("SELECT could_save_nano FROM ledger ORDER BY started_at, call_id")

    assert [row["could_save_nano"] for row in rows] == [0, 0, 18_000]


async def test_an_answer_from_our_cache_says_what_it_saved(database: Address) -> None:
    async with open_upstream(answer(USUAL)) as upstream:
        document = served(upstream)
        document["tenants"][0]["applications"][0]["cache"] = {"ttl": "1h"}
        options = HouseOptions(document=document, environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            await ask(house)
            (entry,) = (await costs(house, await ask(house)))["entries"]

    assert (Decimal(entry["amount_usd"]), Decimal(entry["saved_usd"])) == (Decimal(0), Decimal("0.000018"))
    assert entry["lines"] == []


async def test_a_correction_is_a_new_line_that_points_at_the_old_one(database: Address) -> None:
    async with house_answering(database, USUAL) as house:
        call = await ask(house)
        body = {"corrects": 0, "amount_usd": "-0.000008", "reason": "The provider took it back."}
        made = await house.admin().post(f"/api/v1/calls/{call}/corrections", json=body)
        assert made.status_code == 201, made.text
        found = await costs(house, call)
        (budget,) = (await house.admin().get("/api/v1/budgets")).json()["items"]
        events = (await house.admin().get("/api/v1/events?type=LedgerCorrected")).json()["items"]

    settled, correction = found["entries"]
    assert Decimal(settled["amount_usd"]) == Decimal("0.000018")
    assert (correction["line"], correction["corrects"], correction["source"]) == (1, 0, "manual")
    assert correction["reason"] == "The provider took it back."
    assert Decimal(found["total_usd"]) == Decimal("0.00001")
    assert Decimal(budget["spent_usd"]) == Decimal("0.00001")
    assert [event["event"]["data"]["call"] for event in events] == [call]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"corrects": 5, "amount_usd": "1", "reason": "x"}, "corrects"),
        ({"amount_usd": "0", "reason": "x"}, "amount_usd"),
        ({"amount_usd": "1", "reason": "   "}, "reason"),
        ({"amount_usd": "0.0000000001", "reason": "x"}, "amount_usd"),
        ({"amount_usd": "NaN", "reason": "x"}, "amount_usd"),
    ],
)
async def test_a_correction_that_makes_no_sense_changes_nothing(
    database: Address, body: dict[str, Any], param: str
) -> None:
    async with house_answering(database, USUAL) as house:
        call = await ask(house)
        got = await house.admin().post(f"/api/v1/calls/{call}/corrections", json=body)
        found = await costs(house, call)

    assert got.status_code in {400, 422}
    assert got.json()["param"] == param
    assert len(found["entries"]) == 1


async def test_only_the_platform_corrects_and_nobody_sees_anothers_costs(database: Address) -> None:
    async with house_answering(database, USUAL) as house:
        call = await ask(house)
        body = {"amount_usd": "-0.000008", "reason": "I should like that."}
        own = await house.client(ACME_ADMIN_KEY).post(f"/api/v1/calls/{call}/corrections", json=body)
        other = await house.client(GLOBEX_ADMIN_KEY).get(f"/api/v1/calls/{call}/costs")
        nobody = await house.client(GLOBEX_ADMIN_KEY).get(f"/api/v1/calls/{call[:-1]}0/costs")

    assert own.status_code == 403
    assert other.status_code == nobody.status_code == 404
    assert other.json()["code"] == nobody.json()["code"]
