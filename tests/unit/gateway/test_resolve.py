"""From the name that a call asks for to the deployments that may answer it."""

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import IdFactory
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.dialects.translation.passage import Translator
from enfilade.gateway import store
from enfilade.gateway.aliases import check_alias, model_behind
from enfilade.gateway.catalogue import MAX_CACHED, Catalogue
from enfilade.gateway.errors import (
    DialectNotServed,
    InvalidModel,
    KeyCannotCall,
    ModelNotAllowed,
    ModelNotFound,
    NoDeployment,
)
from enfilade.gateway.resolve import resolve
from enfilade.gateway.types import AliasRule, AliasSpec, Call, DeploymentSpec, Hints, ModelSpec
from enfilade.identity.scopes import key_scope
from enfilade.identity.types import ApplicationSpec, TenantSpec
from tests.unit.gateway.parts import DIALECTS, Provider, call, principal


class Shop:
    """Providers by name."""

    def __init__(self, *providers: Provider) -> None:
        self._providers = {provider.spec.name: provider for provider in providers}

    def get_ready(self, name: str) -> Provider | None:
        return self._providers.get(name)


class Rows:
    """A unit of work that reads these models and aliases."""

    def __init__(self, models: list[ModelSpec], aliases: list[AliasSpec]) -> None:
        self._rows: dict[str, Sequence[ModelSpec | AliasSpec]] = {
            store.LOAD_MODELS: models,
            store.LOAD_ALIASES: aliases,
        }

    async def fetch(self, statement: str, *_: object) -> list[dict[str, Any]]:
        return [{"name": spec.name, "spec": msgspec.json.encode(spec)} for spec in self._rows[statement]]


TRANSLATOR = Translator(DIALECTS)


def model(name: str, *deployments: str, **more: Any) -> ModelSpec:
    """A model with deployments written as `provider/model`, tried in their order."""
    pairs = [deployment.partition("/") for deployment in deployments or ("sim/*",)]
    return ModelSpec(name, tuple(DeploymentSpec(pair[0], pair[2]) for pair in pairs), "ordered", **more)


async def catalogue(*specs: ModelSpec | AliasSpec, providers: tuple[Provider, ...] = ()) -> Catalogue:
    """A catalogue of these."""
    clock = ManualClock()
    shop: Any = Shop(*(providers or (Provider("sim"), Provider("spare"))))
    storage: Any = None  # The price book stays empty.
    made = Catalogue(IdFactory(clock), clock, shop, PriceCatalogue(storage, clock), Random(1))
    await fill(made, *specs)
    return made


async def fill(found: Catalogue, *specs: ModelSpec | AliasSpec) -> None:
    """Load these, as the directory does."""
    models = [spec for spec in specs if isinstance(spec, ModelSpec)]
    unit: Any = Rows(models, [spec for spec in specs if isinstance(spec, AliasSpec)])
    (await found.load(unit, None))()


def labels(found: Catalogue, asked: Call) -> list[str]:
    """The deployments in their order."""
    return [target.label for target in resolve(found, TRANSLATOR, asked)]


async def test_a_models_deployments_come_before_those_of_its_fallbacks() -> None:
    found = await catalogue(
        model("chat", "sim/a", "spare/b", fallbacks=("other", "missing")),
        model("other", "sim/c"),
    )

    assert labels(found, call()) == ["sim/a", "spare/b", "sim/c"]


async def test_a_fallback_that_the_caller_may_not_use_is_left_out() -> None:
    found = await catalogue(model("chat", "sim/a", fallbacks=("other",)), model("other", "sim/c"))

    assert labels(found, call(principal(TenantSpec("acme", allowed_models=("chat",))))) == ["sim/a"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exact", "sim/the-one"),
        ("gpt-7", "sim/up-7"),
        ("gpt-7-mini", "sim/small-mini"),
        ("gpt-7-", "sim/small-"),
        ("gpt-", "sim/up-"),
    ],
)
async def test_the_most_particular_pattern_gives_the_model_and_the_rest_of_the_name(name: str, expected: str) -> None:
    found = await catalogue(model("gpt-*", "sim/up-*"), model("gpt-7-*", "sim/small-*"), model("exact", "sim/the-one"))

    assert labels(found, call(model=name)) == [expected]


async def test_the_price_of_a_pattern_is_looked_up_by_the_pattern() -> None:
    found = await catalogue(model("gpt-*", "sim/*"))
    asked: list[str] = []

    def overrides(name: str) -> tuple[()]:
        asked.append(name)
        return ()

    entry = found.entry("gpt-7")
    assert entry is not None
    entry.targets[0].price._overrides = overrides
    entry.targets[0].price.at(0)

    assert asked == ["gpt-*"]


async def test_names_that_callers_make_up_do_not_fill_the_memory() -> None:
    found = await catalogue(model("*", "sim/*"))
    for number in range(2 * MAX_CACHED + 10):
        assert found.entry(f"made-up-{number}") is not None

    assert len(found._entries) <= MAX_CACHED
    assert len(found.breakers()) <= MAX_CACHED


async def test_deployments_of_one_upstream_model_share_a_breaker() -> None:
    found = await catalogue(model("chat", "sim/a"), model("other", "sim/a", "sim/b"))
    (mine,), (shared, own) = resolve(found, TRANSLATOR, call()), resolve(found, TRANSLATOR, call(model="other"))

    assert mine.breaker is shared.breaker
    assert own.breaker is not shared.breaker


async def test_a_breaker_outlives_a_change_of_the_catalogue() -> None:
    found = await catalogue(model("chat", "sim/a"))
    (before,) = resolve(found, TRANSLATOR, call())

    await fill(found, model("chat", "sim/a", "spare/b"))

    after, _ = resolve(found, TRANSLATOR, call())
    assert after is not before
    assert after.breaker is before.breaker


async def test_an_alias_stands_for_a_model_also_behind_other_aliases() -> None:
    found = await catalogue(
        model("chat", "sim/a"),
        AliasSpec("fast", "faster"),
        AliasSpec("faster", "fastest"),
        AliasSpec("fastest", "chat"),
    )

    assert labels(found, call(model="fast")) == ["sim/a"]


async def test_aliases_that_go_in_a_circle_lead_nowhere() -> None:
    found = await catalogue(AliasSpec("a", "b"), AliasSpec("b", "a"))

    with pytest.raises(ModelNotFound):
        resolve(found, TRANSLATOR, call(model="a"))


async def test_an_alias_chooses_by_what_the_request_says_of_itself() -> None:
    auto = AliasSpec(
        "auto",
        rules=(
            AliasRule("long", {"context_tokens": {"gt": 1000}}),
            AliasRule("code", {"task": "code", "quality": "high"}),
            AliasRule("chat"),
        ),
    )
    found = await catalogue(model("chat", "sim/a"), model("long", "sim/b"), model("code", "sim/c"), auto)
    plain, coder, half = call(model="auto"), call(model="auto"), call(model="auto")
    coder.hints = Hints(task="code", quality="high")
    half.hints = Hints(task="code")
    long = call(model="auto", messages=[{"role": "user", "content": "x" * 4100}])

    chosen = [labels(found, asked) for asked in (plain, coder, half, long)]

    assert chosen == [["sim/a"], ["sim/c"], ["sim/a"], ["sim/b"]]


@pytest.mark.parametrize(
    ("condition", "latency", "holds"),
    [
        ({"gt": 5}, 5, False),
        ({"gt": 5}, 6, True),
        ({"gte": 5}, 5, True),
        ({"lt": 5}, 5, False),
        ({"lte": 5}, 5, True),
        ({"gte": 2, "lt": 5}, 4, True),
        ({"gte": 2, "lt": 5}, 5, False),
        (5, 5, True),
        (5, 4, False),
        ({"lt": 5}, None, False),
    ],
)
def test_conditions_over_figures(condition: Any, latency: int | None, holds: bool) -> None:
    alias = AliasSpec("auto", rules=(AliasRule("chat", {"max_latency_ms": condition}),))

    assert model_behind(alias, 100, Hints(max_latency_ms=latency)) == ("chat" if holds else None)


@pytest.mark.parametrize(
    "spec",
    [
        AliasSpec("a"),
        AliasSpec("a", "chat", (AliasRule("chat"),)),
        AliasSpec("a", rules=(AliasRule("chat", {"mood": "good"}),)),
        AliasSpec("a", rules=(AliasRule("chat", {"task": 5}),)),
        AliasSpec("a", rules=(AliasRule("chat", {"context_tokens": {}}),)),
        AliasSpec("a", rules=(AliasRule("chat", {"context_tokens": {"above": 5}}),)),
        AliasSpec("a", rules=(AliasRule("chat", {"context_tokens": {"gt": "many"}}),)),
        AliasSpec("a", rules=(AliasRule("chat", {"context_tokens": {"gt": True}}),)),
        AliasSpec("a", rules=(AliasRule("chat", {"context_tokens": "many"}),)),
    ],
)
def test_an_alias_that_means_nothing_is_refused(spec: AliasSpec) -> None:
    with pytest.raises(InvalidModel):
        check_alias(spec)


@pytest.mark.parametrize(
    ("tenant", "application", "allowed"),
    [
        (("*",), ("*",), True),
        (("chat",), ("*",), True),
        (("ch*",), ("chat",), True),
        (("other",), ("*",), False),
        (("*",), ("other",), False),
        (("*",), (), False),
        ((), ("*",), False),
        (("CHAT",), ("*",), False),
    ],
)
async def test_the_tenant_and_the_application_must_both_allow_a_model(
    tenant: tuple[str, ...], application: tuple[str, ...], allowed: bool
) -> None:
    found = await catalogue(model("chat", "sim/a"))
    tenant_spec = TenantSpec("acme", allowed_models=tenant)
    asked = call(principal(tenant_spec, ApplicationSpec("copilot", allowed_models=application)))

    if allowed:
        assert labels(found, asked) == ["sim/a"]
    else:
        with pytest.raises(ModelNotAllowed) as refusal:
            resolve(found, TRANSLATOR, asked)
        assert refusal.value.param == "model"


async def test_an_alias_may_be_used_when_it_or_its_model_is_allowed() -> None:
    found = await catalogue(model("chat", "sim/a"), AliasSpec("fast", "chat"))

    for allowed in ("chat", "fast"):
        caller = principal(TenantSpec("acme", allowed_models=(allowed,)))
        assert labels(found, call(caller, model="fast")) == ["sim/a"]
    with pytest.raises(ModelNotAllowed):
        resolve(found, TRANSLATOR, call(principal(TenantSpec("acme", allowed_models=("fast",)))))


async def test_each_reason_for_having_no_deployment_has_an_error_of_its_own() -> None:
    chat_only = Provider("chat-only")
    chat_only.dialects = ("openai_chat",)
    found = await catalogue(
        model("chat", "chat-only/a"),
        model("gone", "missing/a"),
        AliasSpec("never", rules=(AliasRule("chat", {"task": "code"}),)),
        providers=(chat_only,),
    )
    nobody = call()
    nobody.scope = key_scope("acme", "key-1", ("admin",))
    cases: list[tuple[Call, type[EnfiladeError], int]] = [
        (call(model="unknown"), ModelNotFound, 404),
        (call(model="never"), ModelNotFound, 404),
        (call(model="gone"), NoDeployment, 503),
        (call(dialect="openai_embeddings"), DialectNotServed, 400),
        (nobody, KeyCannotCall, 403),
    ]

    for asked, error, status in cases:
        with pytest.raises(error) as refusal:
            resolve(found, TRANSLATOR, asked)
        assert refusal.value.status == status


async def test_deployments_that_do_not_speak_the_dialect_are_left_out() -> None:
    chat_only = Provider("chat-only")
    chat_only.dialects = ("openai_chat",)
    found = await catalogue(model("chat", "chat-only/a", "sim/b"), providers=(chat_only, Provider("sim")))

    assert labels(found, call()) == ["chat-only/a", "sim/b"]
    assert labels(found, call(dialect="openai_embeddings")) == ["sim/b"]


async def test_a_catalogue_lists_models_and_aliases() -> None:
    found = await catalogue(model("chat"), model("sim/*"), AliasSpec("fast", "chat"))

    assert found.names() == ["chat", "fast", "sim/*"]
    assert found.model_names() == ["chat", "sim/*"]
