"""The page on translation: from the dialects' tables of rules, and from the golden cases.

The tests hold the program to the cases, so what the page says of them is what it does.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.pages import code, page, table
from enfilade.dialects.codec import Operation
from enfilade.dialects.registry import load_dialects

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "contract" / "golden"
CASES = "../../tests/contract/golden"
DIALECTS = load_dialects()
HEADINGS = {Operation.GENERATE: "Questions to models", Operation.EMBED: "Embeddings"}

Files = dict[str, dict[str, Any]]

EXPLANATIONS = """A call whose caller and provider speak the same dialect is not translated: its bytes pass, but for the model's name and what has to be
changed for metering. Any other call goes through one neutral form ([decision](../adr/0008-one-neutral-form-and-tables-of-rules.md)).
Where a provider speaks several dialects for a model, the one in which the least is lost is taken.

**Dropped** fields are those without which the same kind of answer comes. They are named, as the caller wrote them, in the response's
header `x-enfilade-dropped` and in the call's record. **Refused** are those without which another answer would come: the caller gets a 400 that
names the field. An application that is `strict` is refused both.

**Envelopes** carry what only its own provider can read, signatures and encrypted reasoning, through callers of another dialect: in the place that
their dialect has for such things. When they come back, they are opened for providers of the same family, and left out for others, where
`reasoning` is then among what was dropped ([decision](../adr/0009-sealed-thoughts-travel-in-envelopes.md))."""

LEGEND = (
    ("kept", "the provider's dialect has a place for it"),
    ("*words*", "it is mapped: said in another way, with the same meaning or the nearest that there is"),
    ("dropped: `field`", "left out and named, or brought to the nearest value that is taken"),
    ("refused: `field`", "a 400 names the field"),
    ("passes", "the same dialect on both sides"),
)


def translation() -> str:
    """What becomes of what, between any two dialects."""
    cases = {path.name: _files(path) for path in sorted(GOLDEN.iterdir()) if path.is_dir()}
    return page(
        "Translation",
        EXPLANATIONS,
        table(("in the tables", "means"), LEGEND),
        f"Each row is a [golden case]({CASES}): a question in the neutral form, and beside it what a caller of each dialect sends and what a "
        "provider of each dialect gets. What a caller's dialect has no words for is not in its table.",
        *_questions(cases),
        "## Answers",
        "What callers of each dialect get of an answer, streamed or not.",
        _answers(cases),
        "## What requests can hold",
        "The tables of rules by which requests are fitted. A service or a model may take less: see [providers](providers.md).",
        _rules(),
    )


def _files(folder: Path) -> Files:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def _of(operation: Operation, cases: Mapping[str, Files]) -> dict[str, Files]:
    return {
        name: files for name, files in cases.items() if files["neutral"].get("operation", "generate") == operation.value
    }


def _names(operation: Operation) -> list[str]:
    return [name for name in DIALECTS.names() if DIALECTS.get(name).operation is operation]


def _callers(operation: Operation) -> list[str]:
    return [name for name in _names(operation) if DIALECTS.get(name).path]


def _questions(cases: Mapping[str, Files]) -> Iterator[str]:
    for operation, heading in HEADINGS.items():
        yield f"## {heading}"
        providers = _names(operation)
        for caller in _callers(operation):
            rows = [
                (_link(name, files), *(_fate(files, caller, provider) for provider in providers))
                for name, files in _of(operation, cases).items()
                if "question" in files["neutral"] and "request" in files[caller]
            ]
            yield f"### Callers of {code(caller)}"
            yield table(("what is asked", *map(code, providers)), rows)


def _link(name: str, files: Files) -> str:
    return f"[{files['neutral']['about'].rstrip('.')}]({CASES}/{name})"


def _fate(files: Files, caller: str, provider: str) -> str:
    """What becomes of a case between two dialects."""
    if caller == provider:
        return "passes"
    side = files[provider]
    if "refused" in side:
        return f"refused: {code(_called(side['refused'], caller))}"
    asked = files[caller].get("request_reads_as", {})
    # What the caller could not say is not lost on the way.
    dropped = [name for name in side.get("dropped", ()) if asked.get(name, "said") is not None]
    fates = [f"dropped: {', '.join(code(_called(name, caller)) for name in dropped)}"] if dropped else []
    fates += [f"*{side['mapped']}*"] if "mapped" in side else []
    return "; ".join(fates) or "kept"


def _called(name: str, caller: str) -> str:
    codec = DIALECTS.get(caller).codec
    return codec.field_names.get(name, name) if codec is not None else name


def _answers(cases: Mapping[str, Files]) -> str:
    callers = _callers(Operation.GENERATE)
    rows = []
    for name, files in _of(Operation.GENERATE, cases).items():
        if "answer" not in files["neutral"]:
            continue
        rows.append((_link(name, files), *(_told(files[caller]) for caller in callers)))
    return table(("what is answered", *map(code, callers)), rows)


def _told(side: Mapping[str, Any]) -> str:
    if "rendered" not in side:
        return "cannot be asked for"
    return f"*{side['rendered_as']}*" if "rendered_as" in side else "kept"


def _rules() -> str:
    names = _names(Operation.GENERATE)
    held = {name: codec.rules for name in names if (codec := DIALECTS.get(name).codec) is not None}
    settings = sorted(frozenset().union(*(rules.takes for rules in held.values())) - _TOLD_OTHERWISE)
    kinds = sorted(frozenset().union(*(rules.media for rules in held.values())))
    rows: list[tuple[object, ...]] = [
        (code(setting), *("yes" if setting in rules.takes else "" for rules in held.values())) for setting in settings
    ]
    rows += [(f"{kind} as", *(_listed(rules.media.get(kind, ())) for rules in held.values())) for kind in kinds]
    rows += [(what, *(tell(rules) for rules in held.values())) for what, tell in _FACTS.items()]
    return table(("", *map(code, held)), rows)


def _listed(words: Any) -> str:
    return ", ".join(sorted(words))


def _yes(holds: object) -> str:
    return "yes" if holds else ""


_TOLD_OTHERWISE = frozenset({"max_output_tokens", "response_format", "tool_choice", "modalities"})
"""Settings that have rows of their own, or no other outputs than text."""
_FACTS: dict[str, Any] = {
    "media in tool results": lambda rules: _listed(rules.result_media),
    "temperature": lambda rules: f"{rules.temperature[0]:g} to {rules.temperature[1]:g}",
    "stop sequences at most": lambda rules: "" if "stop" not in rules.takes else rules.max_stop or "any number",
    "tool names": lambda rules: code(rules.tool_name),
    "ids of tool calls": lambda rules: code(rules.tool_id) or "any",
    "choices of tools": lambda rules: _listed(rules.tool_choices),
    "tools that take free text": lambda rules: _yes(rules.custom_tools),
    "answers as": lambda rules: _listed(rules.response_formats),
    "sealed reasoning of": lambda rules: _listed(rules.seals),
    "instructions between turns": lambda rules: _yes(rules.system_turns),
    "an output bound": lambda rules: "needed" if rules.needs_output_bound else "may be given",
    "cache marks": lambda rules: _yes(rules.cache_marks),
    "empty texts": lambda rules: _yes(rules.empty_texts),
    "names of speakers": lambda rules: _yes(rules.names),
    "earlier refusals": lambda rules: _yes(rules.refusals),
    "continues the assistant's turn": lambda rules: _yes(rules.prefill),
}
