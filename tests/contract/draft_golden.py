"""First drafts of golden files: `python -m tests.contract.draft_golden CASE DIALECT`.

Prints what the program does now with the case's neutral question and answer, in the form of the files. A draft says what
is, not what should be: it is read against the vendor's documentation before it becomes a file.
"""

import json
import sys
from typing import Any

from enfilade.core.happenings import Ended
from enfilade.dialects.codec import Operation
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.translation.restoring import restore
from enfilade.dialects.translation.types import Memo
from tests.contract.golden_files import PLAIN_REQUESTS, Case, is_spoken, load, parsed
from tests.contract.neutral import CALL_ID, CREATED_S, DIALECTS, Exchange, happenings_of
from tests.contract.wires import WIRES

WIDTH = 116


def sent(case: Case, dialect: str, to: dict[str, Any]) -> dict[str, Any]:
    """What a provider gets, and what is left out; or what is refused."""
    try:
        passage = Exchange(case.question(), dialect, to).passage
    except NotTranslatable as refusal:
        return {"refused": refusal.param}
    found: dict[str, Any] = {"sent": json.loads(passage.body)}
    if passage.dropped:
        found["dropped"] = sorted(passage.dropped)
    return found


def rendered(case: Case, dialect: str, request: dict[str, Any]) -> dict[str, Any]:
    """What callers get, whole and streamed."""
    codec: Any = DIALECTS.get(dialect).codec
    answer = case.answer()
    if case.operation is Operation.EMBED:
        return {"rendered": json.loads(codec.render(answer, parsed(dialect, request)))}
    answer = restore(answer, Memo(codec.origin))
    writer = codec.writer(parsed(dialect, request, stream=True), CALL_ID, CREATED_S)
    wire = b"".join(writer.write(happening) for happening in happenings_of(answer))
    wire += writer.end(Ended(answer.finish, answer.stop_sequence, answer.service_tier), answer.usage)
    whole = json.loads(codec.render(answer, parsed(dialect, request)))
    return {"rendered": whole, "rendered_stream": WIRES[dialect].from_bytes(wire)}


def dumped(value: Any, indent: str = "") -> str:
    """JSON with one line for whatever fits into one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    deeper = indent + "  "
    if isinstance(value, list):
        lines = [deeper + dumped(entry, deeper) for entry in value]
        return "[\n" + ",\n".join(lines) + "\n" + indent + "]"
    lines = [f"{deeper}{json.dumps(name)}: {dumped(entry, deeper)}" for name, entry in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + indent + "}"


def main() -> None:
    """Print a draft."""
    case, dialect = load()[sys.argv[1]], sys.argv[2]
    found = sent(case, dialect, {}) if case.asks else {}
    if case.answers and is_spoken(dialect):
        found |= rendered(case, dialect, PLAIN_REQUESTS[dialect])
    sys.stdout.write(dumped(found) + "\n")


if __name__ == "__main__":
    main()
