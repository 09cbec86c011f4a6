"""Whether policies can be published: they parse, fit the schema, and name what there is. Places are told."""

from dataclasses import dataclass, field

import msgspec

from enfilade.access.compiled import FORM, Compiled, CompiledPolicy, all_policies, compiled_of
from enfilade.access.content import Content, check_form
from enfilade.access.contradictions import Gist, contradictions, gist_of
from enfilade.access.crowding import MOST_TOGETHER, crowd
from enfilade.access.errors import InvalidPolicy
from enfilade.access.examiner import Examiner, Known
from enfilade.access.problems import Problem
from enfilade.access.reading import Reading, readings
from enfilade.access.table import PolicyTable

MAX_PROBLEMS = 100
AT_ONCE = 200
"""What is read of so many policies is in memory together."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong or odd with policies, errors first; and what they compile to, where nothing is wrong."""

    problems: list[Problem]
    compiled: Compiled | None


@dataclass(slots=True)
class _Findings:
    """What was found so far. Of what was read, only that is kept: many policies have millions of words."""

    problems: list[Problem] = field(default_factory=list)
    errors: int = 0
    compiled: list[CompiledPolicy] = field(default_factory=list)
    gists: list[Gist] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.errors += problem.severity == "error"


def check(content: Content, known: Known) -> Checked:
    """Everything wrong or odd. Raises InvalidAccess for a wrong form."""
    check_form(content)
    found = _look_at(content, known)
    if found.errors:
        return Checked(sorted(found.problems, key=lambda problem: problem.severity)[:MAX_PROBLEMS], None)
    compiled = Compiled(FORM, tuple(found.compiled))
    if crowded := _crowded(compiled):
        return Checked([crowded], None)
    odd = [Problem("warning", name, message) for name, message in contradictions(content, found.gists)]
    return Checked([*found.problems, *odd][:MAX_PROBLEMS], compiled)


def _look_at(content: Content, known: Known) -> _Findings:
    found, examiner = _Findings(), Examiner(content, known)
    specs = all_policies(content)
    for start in range(0, len(specs), AT_ONCE):
        sound: list[Reading] = []
        for entry in readings(specs[start : start + AT_ONCE]):
            if isinstance(entry, Reading):
                sound.append(entry)
            else:
                found.add(examiner.unread(*entry))
        for problem in examiner.examine(sound):
            found.add(problem)
            if found.errors >= MAX_PROBLEMS:
                return found
        if not found.errors:
            enabled = [entry for entry in sound if entry.spec.enabled]
            found.compiled += [compiled_of(entry.spec, entry.statement, entry.form) for entry in enabled]
            found.gists += [gist_of(entry.spec.name, entry.form) for entry in enabled if entry.form is not None]
    return found


def _crowded(compiled: Compiled) -> Problem | None:
    found = crowd(PolicyTable(compiled.policies), MOST_TOGETHER)
    if found is None:
        return None
    message = (
        f"this and {found.others} more policies can concern one and the same call ({found.question}), and all of them "
        f"would be evaluated for it; {MOST_TOGETHER} are the most. Name departments, models or use cases in them, or "
        "write several as one with `[…].contains(…)`"
    )
    return Problem("error", found.name, message, 1, 1)


def require_sound(checked: Checked) -> Compiled:
    """What they compile to. Raises InvalidPolicy where there is an error among them."""
    if checked.compiled is not None:
        return checked.compiled
    problems = checked.problems
    others = sum(problem.severity == "error" for problem in problems) - 1
    details = {"problems": [msgspec.to_builtins(problem) for problem in problems]}
    more = f" (and {others} more)" if others else ""
    raise InvalidPolicy(f"{problems[0]}{more}", param=problems[0].policy, details=details)
