"""A play in many steps, all of which one seed decides; after every few steps the books are checked."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd, parse_usd
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.holds.windows import window_at
from tests.simulation import cast
from tests.simulation.books import Books, each_call_is_written_once, logs_are_well_formed, nothing_is_held, read_books
from tests.simulation.calls import Answer, Ask, make
from tests.simulation.promises import Promises
from tests.simulation.stage import Stage

TENANTS = ("acme", "globex")
EPOCH = {"from": "2020-01-01", "to": "2035-01-01"}
LISTS = ("/calls", "/events", "/keys", "/budgets", "/limits", "/users", "/applications", "/departments")
CHECK_EVERY = 20


@dataclass(slots=True)
class Key:
    """A key that the play knows."""

    tenant: str
    name: str
    secret: str


class Simulation:
    """One play."""

    def __init__(self, stage: Stage, seed: int) -> None:
        """Play on `stage`."""
        self.stage = stage
        self.chance = random.Random(seed)
        self.keys = [Key(tenant, name, secret) for tenant in TENANTS for name, secret in cast.KEYS[tenant].items()]
        self.revoked: list[Key] = []
        self.promises = Promises()
        self.told: list[str] = []
        """What has happened, for whoever looks at a failure."""
        self._numbers = iter(range(1, 1_000_000))
        self._deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (60, self.some_calls),
            (25, self.some_time),
            (4, self.over_the_end_of_a_window),
            (2, self.wrong_clock),
            (5, self.change_budget),
            (3, self.new_budget),
            (2, self.lift_budget),
            (3, self.change_limit),
            (2, self.new_key),
            (2, self.revoke_key),
            (3, self.lose_connections),
            (2, self.restart),
            (2, self.crash),
            (3, self.look_at_lists),
        ]

    async def play(self, steps: int) -> None:
        """All of it."""
        for tenant in TENANTS:
            await self._note_budgets(tenant)
        weights = [weight for weight, _ in self._deeds]
        for step in range(1, steps + 1):
            (deed,) = self.chance.choices([deed for _, deed in self._deeds], weights)
            self._tell(f"{step}: {deed.__name__}")
            await deed()
            if step % CHECK_EVERY == 0 or step == steps:
                await self.check()

    def _tell(self, text: str) -> None:
        self.told.append(f"{to_datetime(self.stage.clock.now_ns()):%m-%d %H:%M:%S} {text}")

    # Callers.

    async def some_calls(self) -> None:
        for _ in range(self.chance.randint(1, 8)):
            key = self.chance.choice(self.keys)
            model = self.chance.choice(cast.MODELS)
            dialect = self.chance.choice(cast.DIALECTS)
            stream = dialect != "embeddings" and self.chance.random() < 0.5
            ask = Ask(
                key.secret,
                model,
                dialect,
                stream,
                text=self.chance.choice(("Again?", "Where is the door to the seventh room?", "x" * 200)),
                max_tokens=self.chance.randint(1, 30),
                user=self.chance.choice(cast.USERS[key.tenant]) if self.chance.random() < 0.3 else None,
                leaves=self.chance.choice((None, None, None, None, "unanswered", "amid")) if stream else None,
            )
            self.stage.call(ask)
        await self.stage.called()

    # Time.

    async def some_time(self) -> None:
        await self.stage.pass_time(self.chance.choice((0.1, 0.5, 1, 3, 10, 40)))

    async def over_the_end_of_a_window(self) -> None:
        """To just before the end of a calendar window, some calls, and over it while they run."""
        period = self.chance.choice(("minute", "hour", "day", "month"))
        now_ns = self.stage.clock.now_ns()
        left = (window_at(period, now_ns, "Europe/Vienna").end_ns - now_ns) / 1e9
        if left > 2:
            await self.stage.pass_time(left - 1)
        await self.some_calls()
        await self.stage.pass_time(self.chance.choice((0.5, 1.5, 3)))

    async def wrong_clock(self) -> None:
        """Somebody sets the machine's clock, and back again or not."""
        seconds = self.chance.choice((-3, -90, -4000, 30))
        now_ns = self.stage.clock.now_ns()
        self.stage.clock.jump(seconds)
        if seconds < 0:
            self.promises.uncertain.append((self.stage.clock.now_ns(), now_ns))
        await self.stage.called()

    # Administrators.

    async def change_budget(self) -> None:
        tenant, budget = await self._some_budget()
        if budget is None:
            return
        body = {"limit_usd": self._limit(), "action": self.chance.choice(cast.ACTIONS)}
        reply = await self.stage.admin("PUT", f"/budgets/{budget['id']}", body=body, tenant=tenant)
        assert reply.status_code == 200, reply.text
        await self._note_budgets(tenant)

    async def new_budget(self) -> None:
        tenant = self.chance.choice(TENANTS)
        scopes = ["tenant", "application:*", "user:*", "key:*", "department:*"]
        scopes += [f"department:{name}" for name in cast.DEPARTMENTS[tenant]]
        scopes += [f"application:{name}" for name in cast.APPLICATIONS[tenant]]
        scopes += [f"user:{email}" for email in cast.USERS[tenant]]
        body = {
            "scope": self.chance.choice(scopes),
            "window": self.chance.choice(cast.WINDOWS),
            "limit_usd": self._limit(),
            "action": self.chance.choice(cast.ACTIONS),
            "alerts": ["0.5", "0.9"],
        }
        if self.chance.random() < 0.3:
            body["model"] = self.chance.choice(("steady", "simulated/text-20"))
        reply = await self.stage.admin("POST", "/budgets", body=body, tenant=tenant)
        assert reply.status_code in {201, 409}, reply.text
        await self._note_budgets(tenant)

    async def lift_budget(self) -> None:
        tenant, budget = await self._some_budget()
        if budget is None:
            return
        reply = await self.stage.admin("DELETE", f"/budgets/{budget['id']}", tenant=tenant)
        assert reply.status_code in {204, 404}, reply.text
        await self.stage.refresh()

    async def change_limit(self) -> None:
        tenant = self.chance.choice(TENANTS)
        items = (await self.stage.admin("GET", "/limits", tenant=tenant)).json()["items"]
        limit = self.chance.choice(items)
        amount = self.chance.choice((3, 10, 100)) if limit["concurrency"] else self.chance.choice((50, 1000, 100_000))
        reply = await self.stage.admin("PUT", f"/limits/{limit['id']}", body={"amount": amount}, tenant=tenant)
        assert reply.status_code == 200, reply.text
        await self.stage.refresh()

    async def new_key(self) -> None:
        tenant = self.chance.choice(TENANTS)
        name = f"key-{next(self._numbers)}"
        body = {"name": name, "application": self.chance.choice(cast.APPLICATIONS[tenant])}
        reply = await self.stage.admin("POST", "/keys", body=body, tenant=tenant)
        if reply.status_code == 409:
            return  # The database went away after the commit and before the reply: the key is there, its secret is lost.
        assert reply.status_code == 201, reply.text
        self.keys.append(Key(tenant, name, reply.json()["secret"]))
        await self.stage.refresh()

    async def revoke_key(self) -> None:
        spare = [key for key in self.keys if key.name.startswith("key-")]
        if not spare:
            return
        key = self.chance.choice(spare)
        self.keys.remove(key)
        self.revoked.append(key)
        reply = await self.stage.admin("DELETE", f"/keys/{key.name}", tenant=key.tenant)
        assert reply.status_code in {204, 404}, reply.text
        await self.stage.refresh()

    async def look_at_lists(self) -> None:
        """No administrator sees anything of another tenant."""
        tenant = self.chance.choice(TENANTS)
        path = self.chance.choice(LISTS)
        page = (await self.stage.admin("GET", path, key=cast.ADMINS[tenant])).json()
        own = {tenant, self.stage.house.tenant_id(tenant)}
        assert {item["tenant"] for item in page["items"]} <= own, path

    def _limit(self) -> str:
        return format_usd(self.chance.choice((0, 40_000, 200_000, 1_000_000, 10_000_000)))

    async def _some_budget(self) -> tuple[str, dict[str, Any] | None]:
        tenant = self.chance.choice(TENANTS)
        items = (await self.stage.admin("GET", "/budgets", tenant=tenant)).json()["items"]
        return tenant, self.chance.choice(items) if items else None

    async def _note_budgets(self, tenant: str) -> None:
        """Bring changes into force, and write down what is promised from now on."""
        await self.stage.refresh()
        for rule in self._budgets(tenant):
            meters = await self._meters(rule)
            used = {meter.subject: meter.spent + meter.held for meter in meters}
            self.promises.note(rule, used, self.stage.clock.now_ns())

    async def _meters(self, rule: BudgetRule) -> list[BudgetMeter]:
        meters: list[BudgetMeter] = await self.stage.persist(lambda: self.stage.house.parts.costs.budget_meters(rule))
        return meters

    def _budgets(self, tenant: str) -> list[BudgetRule]:
        rules = self.stage.house.parts.meter_book.rules(self.stage.house.tenant_id(tenant))
        return [rule for rule in rules if isinstance(rule, BudgetRule)]

    # Trouble.

    async def lose_connections(self) -> None:
        await self.stage.kill_connections(self.chance.choice((None, "writer", "app", "operator")))
        await self.stage.called()

    async def restart(self) -> None:
        await self.stage.restart()

    async def crash(self) -> None:
        await self.stage.crash()

    # What must hold whenever nothing runs.

    async def check(self) -> None:
        """Wait for quiet and look at everything."""
        await self.stage.settle_down()
        house = self.stage.house
        books: Books = await self.stage.persist(lambda: read_books(house))
        nothing_is_held(house)
        each_call_is_written_once(books)
        logs_are_well_formed(books)
        assert books.intents == 0
        for tenant in TENANTS:
            await self._check_budgets(tenant, books)
            await self._check_report(tenant, books)
        self._check_answers(books)
        for key in self.revoked:
            assert (await make(house, Ask(key.secret, "simulated/echo"))).status == 401

    async def _check_budgets(self, tenant: str, books: Books) -> None:
        for rule in self._budgets(tenant):
            meters = await self._meters(rule)
            for meter in meters:
                posted = books.spent_for(rule, meter.subject, meter.window.start_ns, meter.window.end_ns)
                # When a window comes a second time, because the clock was turned back, memory cannot know of the first.
                if not self.promises.is_vague(meter.window):
                    assert meter.spent == posted, (rule, meter.subject, meter.window, meter.spent, posted)
            self.promises.check_windows(rule, books)

    async def _check_report(self, tenant: str, books: Books) -> None:
        """The report says what the ledger says."""
        report = (await self.stage.admin("GET", "/spend", tenant=tenant, **EPOCH)).json()
        own = self.stage.house.tenant_id(tenant)
        assert parse_usd(report["total_usd"]) == sum(row["nano"] for row in books.ledger if row["tenant"] == own)

    def _check_answers(self, books: Books) -> None:
        """Whoever got the last byte of an answer is in the books, with the very same cost."""
        records = {row["id"]: row for row in books.calls}
        for answer in self.stage.answers:
            if answer.is_answered:
                assert answer.id is not None
                record = records[answer.id]
                assert record["status"] in {"ok", "cut"}, record
                assert self._cost(answer) in {None, record["nano"]}

    def _cost(self, answer: Answer) -> int | None:
        shown = answer.headers.get("x-enfilade-cost-usd")
        return None if shown is None else parse_usd(shown)
