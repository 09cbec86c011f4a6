"""From a filter's tree to a condition in SQL: of fixed fragments and numbered parameters, never of what was sent."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from enfilade.identity.provisioning.errors import InvalidFilter
from enfilade.identity.provisioning.filters import Among, Combination, Comparison, Filter, Negation, Path, Value
from enfilade.identity.provisioning.schemas import Attribute, Kind

_ORDER = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_SAME = {"eq": "IS NOT DISTINCT FROM", "ne": "IS DISTINCT FROM"}
_TRUTHS = {"true": True, "false": False}


@dataclass(slots=True)
class Compiler:
    """Compiles filters over one kind of resource; its parameters follow those that are there already."""

    kind: Kind
    parameters: list[object] = field(default_factory=list)

    def condition(self, tree: Filter, within: Attribute | None = None) -> str:
        """The condition. Raises InvalidFilter."""
        if isinstance(tree, Combination):
            joined = f" {tree.operator.upper()} ".join(self.condition(part, within) for part in tree.parts)
            return f"({joined})"
        if isinstance(tree, Negation):
            return f"(NOT coalesce({self.condition(tree.part, within)}, false))"
        if isinstance(tree, Among):
            return self._among(tree, within)
        return self._comparison(tree, within)

    def sort_key(self, path: Path) -> str:
        """What a list is ordered by. Raises InvalidFilter."""
        holder, attribute = self._resolve(path, None)
        if attribute.sql is None or holder.member_of:
            raise _fault(f"nothing is sorted by {path.name!r}")
        return f"lower({attribute.sql})" if attribute.type == "string" and not attribute.exact else attribute.sql

    def _among(self, tree: Among, within: Attribute | None) -> str:
        attribute = self.kind.find(tree.path.urn, tree.path.name)
        if within is not None or attribute is None or not attribute.multi or tree.path.sub:
            raise _fault(f"{tree.path.name!r} has no values to choose from")
        return self._of(attribute, self.condition(tree.condition, attribute))

    def _comparison(self, tree: Comparison, within: Attribute | None) -> str:
        if tree.operator == "pr" and within is None and (parts := self._parts(tree.path)):
            return "(" + " OR ".join(self._compare(part, sql, "pr", None) for part, sql in parts) + ")"
        holder, attribute = self._resolve(tree.path, within)
        if attribute.sql is None:
            raise _fault(f"nothing is found by {tree.path.name!r}")
        compared = self._compare(attribute, attribute.sql, tree.operator, tree.value)
        return compared if within is not None else self._of(holder, compared)

    def _parts(self, path: Path) -> list[tuple[Attribute, str]]:
        """Of a complex attribute that has no value of its own: any part that is there makes it be there."""
        found = self.kind.find(path.urn, path.name) if path.sub is None else None
        if found is None or found.sub("value"):
            return []
        return [(part, part.sql) for part in found.subs if part.sql is not None]

    @staticmethod
    def _of(attribute: Attribute, condition: str) -> str:
        # The fragments hold no braces but the place for the condition.
        return attribute.member_of.replace("{}", condition) if attribute.member_of else f"({condition})"

    def _resolve(self, path: Path, within: Attribute | None) -> tuple[Attribute, Attribute]:
        """The attribute that a path begins with, and the one that it means."""
        found = within.sub(path.name) if within is not None else self.kind.find(path.urn, path.name)
        if found is None or (within is not None and path.sub):
            raise _fault(f"there is no attribute {path.name!r} here")
        if path.sub is not None:
            sub = found.sub(path.sub)
            if sub is None:
                raise _fault(f"{found.name!r} has no part {path.sub!r}")
            return found, sub
        if found.subs:
            # `emails co "@"` and `manager eq "…"` mean the value.
            value = found.sub("value")
            if value is None:
                raise _fault(f"say which part of {found.name!r} is meant")
            return found, value
        return found, found

    def _compare(self, attribute: Attribute, sql: str, operator: str, value: Value) -> str:
        if operator == "pr":
            return f"({sql}) IS NOT NULL" + (f" AND ({sql}) <> ''" if attribute.type == "string" else "")
        if value is None:
            if operator not in _SAME:
                raise _fault(f"null is not compared by {operator!r}")
            return f"({sql}) {_SAME[operator]} NULL"
        if attribute.type == "boolean":
            return self._truth(sql, operator, value)
        if attribute.type == "dateTime":
            return self._moment(sql, operator, value)
        return self._text(attribute, sql, operator, value)

    def _truth(self, sql: str, operator: str, value: Value) -> str:
        truth = _TRUTHS.get(value.lower()) if isinstance(value, str) else value
        if operator not in _SAME or not isinstance(truth, bool):
            raise _fault("true and false are compared by `eq` and `ne`")
        return f"({sql}) {_SAME[operator]} {self._parameter(truth, 'boolean')}"

    def _moment(self, sql: str, operator: str, value: Value) -> str:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
            moment = moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
            moment = moment.astimezone(UTC) if moment else None
        except (ValueError, OverflowError):
            moment = None
        sign = _SAME.get(operator) or _ORDER.get(operator)
        if moment is None or sign is None:
            raise _fault("moments are compared by `eq`, `ne`, `gt`, `ge`, `lt` and `le`, as 2026-11-02T12:00:00Z")
        return f"({sql}) {sign} {self._parameter(moment, 'timestamptz')}"

    def _text(self, attribute: Attribute, sql: str, operator: str, value: Value) -> str:
        if not isinstance(value, str):
            raise _fault(f"{attribute.name!r} is a text")
        given = self._parameter(value if attribute.exact else value.lower(), "text")
        left = f"({sql})" if attribute.exact else f"lower({sql})"
        if operator in _SAME:
            return f"{left} {_SAME[operator]} {given}"
        if operator in _ORDER:
            return f'{left} COLLATE "C" {_ORDER[operator]} {given}'
        if operator == "sw":
            return f"starts_with({left}, {given})"
        if operator == "ew":
            return f"right({left}, length({given})) = {given}"
        return f"strpos({left}, {given}) > 0"

    def _parameter(self, value: object, kind: str) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}::{kind}"


def _fault(what: str) -> InvalidFilter:
    return InvalidFilter(f"The filter cannot be used: {what}.", param="filter")
