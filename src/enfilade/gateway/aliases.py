"""Names that stand for a requirement: which model an alias means for one request."""

from collections.abc import Mapping
from typing import Any

from enfilade.gateway.errors import InvalidModel
from enfilade.gateway.types import AliasSpec, Hints

BYTES_PER_TOKEN = 4
"""For the rule about long contexts only: routing needs the order of magnitude, not a bound."""
COMPARISONS = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}
MAX_BOUND = 2**53
NUMERIC = ("context_tokens", "max_latency_ms")
TEXTUAL = ("task", "quality", "use_case")


def model_behind(alias: AliasSpec, size: int, hints: Hints) -> str | None:
    """The model that the alias means for a request of `size` bytes; None when no rule applies."""
    if alias.model is not None:
        return alias.model
    facts = {
        "context_tokens": size // BYTES_PER_TOKEN,
        "max_latency_ms": hints.max_latency_ms,
        "task": hints.task,
        "quality": hints.quality,
        "use_case": hints.use_case,
    }
    for rule in alias.rules:
        if all(_holds(facts.get(name), condition) for name, condition in rule.when.items()):
            return rule.use
    return None


def _holds(fact: Any, condition: Any) -> bool:
    if fact is None:
        return False  # A request that does not say is not known to fulfil anything.
    if isinstance(condition, Mapping):
        return all(COMPARISONS[name](fact, bound) for name, bound in condition.items())
    return bool(fact == condition)


def check_alias(spec: AliasSpec) -> None:
    """Refuse, with InvalidModel, an alias that stands for nothing or whose conditions mean nothing."""
    if (spec.model is None) == (not spec.rules):
        message = "an alias needs either `model` or `rules`"
        raise InvalidModel(message, param="model")
    for rule in spec.rules:
        for name, condition in rule.when.items():
            _check_condition(name, condition)


def _check_condition(name: str, condition: Any) -> None:
    if name in TEXTUAL and isinstance(condition, str):
        return
    if name in NUMERIC:
        bounds = condition if isinstance(condition, Mapping) else {"gte": condition}
        if bounds and set(bounds) <= COMPARISONS.keys() and all(_is_number(bound) for bound in bounds.values()):
            return
    message = (
        f"the condition {name}: {condition!r} means nothing; use {', '.join(TEXTUAL)} with a text, or "
        f"{', '.join(NUMERIC)} with {{{' | '.join(COMPARISONS)}: number}}"
    )
    raise InvalidModel(message, param="rules.when")


def _is_number(bound: Any) -> bool:
    # The comparison is false for what is no number.
    return isinstance(bound, int | float) and not isinstance(bound, bool) and abs(bound) <= MAX_BOUND
