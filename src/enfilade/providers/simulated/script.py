"""The language of the simulated models' names: directives joined by `+`, e.g. `text-200+slow-2s+pace-20ms`."""

import re
from dataclasses import dataclass, replace

from enfilade.providers.errors import UpstreamModelMissing

MAX_TOKENS = 1_000_000
MAX_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A status to answer with, for the first `attempts` attempts of a call (None: for all)."""

    status: int
    attempts: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """What a simulated model does."""

    tokens: int | None = None
    """So many tokens of text; None repeats what the user said."""
    tools: bool = False
    slow_s: float = 0.0
    pace_s: float = 0.0
    failure: Failure | None = None
    flaky: int | None = None
    """A status with which every second call fails."""
    cut_after: int | None = None
    error_after: int | None = None
    hang_after: int | None = None
    """Stop answering after so many chunks; 0 is before the first."""
    garbage: bool = False
    no_usage: bool = False
    unreachable: bool = False
    ignores_max: bool = False


_DURATION = r"(\d{1,7}(?:\.\d+)?)(ms|s)"
_FAILURE = re.compile(rf"fail-([45]\d\d)(?:-retry-after-{_DURATION})?(?:-then-ok(?:-(\d{{1,2}}))?)?")
_TEXT = re.compile(r"text-(\d{1,7})")
_COUNTED = re.compile(r"(cut|error|hang)-after-(\d{1,6})")
_TIMED = re.compile(rf"(slow|pace)-{_DURATION}")
_FLAKY = re.compile(r"flaky-([45]\d\d)")
_PLAIN: dict[str, dict[str, object]] = {
    "echo": {},
    "tools": {"tools": True},
    "garbage": {"garbage": True},
    "hang": {"hang_after": 0},
    "no-usage": {"no_usage": True},
    "unreachable": {"unreachable": True},
    "ignores-max": {"ignores_max": True},
}
DIRECTIVES: dict[str, str] = {
    "echo": "Answers with what the last user message says; embeddings are made from the input's text.",
    "text-N": "Answers with exactly N tokens of text (at most 1,000,000).",
    "tools": "Calls the tools that the request offers (the chosen one, or the first where parallel calls are off), with "
    "arguments that fit their schemas; once their results are there, repeats these.",
    "slow-2s": "Waits before the answer begins; `ms` or `s`.",
    "pace-20ms": "Waits before every further token of a stream.",
    "fail-429": "Answers every attempt with this status.",
    "fail-429-retry-after-2s": "The same, with a `retry-after` header.",
    "fail-503-then-ok": "Fails a call's first attempt, and answers the next.",
    "fail-503-then-ok-2": "Fails a call's first two attempts, and answers the next.",
    "flaky-500": "Fails every second call with this status.",
    "cut-after-N": "Closes the connection after N chunks of a stream.",
    "error-after-N": "Sends the dialect's error event after N chunks of a stream.",
    "hang": "Takes the request and never answers.",
    "hang-after-N": "Stops after N chunks of a stream, without closing the connection.",
    "garbage": "Answers with bytes that no dialect can read.",
    "no-usage": "Answers without token counts, so that they have to be estimated.",
    "unreachable": "Refuses the connection.",
    "ignores-max": "Writes more than `max_tokens` allows.",
}
"""What a model's name may be made of, with `+` between them, and what each part does."""


def parse_script(name: str) -> Script:
    """The script behind a model's name. Raises UpstreamModelMissing, naming the directives, when it has none."""
    script = Script()
    for directive in name.removeprefix("simulated/").split("+"):
        script = replace(script, **_changes(directive, name))  # type: ignore[arg-type]
    return script


def _changes(directive: str, name: str) -> dict[str, object]:
    if directive in _PLAIN:
        return dict(_PLAIN[directive])
    if match := _TEXT.fullmatch(directive):
        return {"tokens": min(int(match[1]), MAX_TOKENS)}
    if match := _COUNTED.fullmatch(directive):
        return {f"{match[1]}_after": int(match[2])}
    if match := _TIMED.fullmatch(directive):
        return {f"{match[1]}_s": _seconds(match[2], match[3])}
    if match := _FLAKY.fullmatch(directive):
        return {"flaky": int(match[1])}
    if match := _FAILURE.fullmatch(directive):
        wait = _seconds(match[2], match[3]) if match[2] else None
        attempts = int(match[4] or 1) if "then-ok" in directive else None
        return {"failure": Failure(int(match[1]), attempts, wait)}
    message = f"The simulated provider has no model {name!r}; names are made of: {', '.join(DIRECTIVES)}."
    raise UpstreamModelMissing(message)


def _seconds(figure: str, unit: str) -> float:
    seconds = float(figure) / (1000 if unit == "ms" else 1)
    return min(seconds, MAX_SECONDS)
