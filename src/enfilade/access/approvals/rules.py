"""Which requests need whom: a tenant's rules, and which of them covers a request."""

from collections.abc import Iterable, Sequence

import msgspec

from enfilade.access.approvals import store
from enfilade.access.approvals.errors import InvalidAccessRequest, InvalidApprovalRule, UnknownApprovalRule
from enfilade.access.approvals.patterns import contains, overlap
from enfilade.access.approvals.people import Reviewers
from enfilade.access.approvals.rows import rule_of, text_of
from enfilade.access.approvals.types import (
    DEFAULT_RULE,
    DEFAULT_RULE_FOR_RIGHTS,
    KINDS,
    Asked,
    Person,
    Rule,
    RuleRecord,
    Stage,
)
from enfilade.access.types import DATA_CLASSES
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity.errors import RightsExceeded
from enfilade.identity.permissions import TENANT_PERMISSIONS
from enfilade.identity.roles.effective import permissions_in, role_table
from enfilade.identity.rows import START, check_name, check_version
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

MAX_STAGES = 5
MAX_REVIEWERS = 50
MAX_PATTERNS = 200
MAX_RULES = 200
MAX_DURATION_S = 366 * 86_400
MAX_POSITION = 10_000
ANY = "*"


class RuleBook:
    """The use cases of rules."""

    def __init__(self, ids: IdFactory, reviewers: Reviewers) -> None:
        """Name new rules with `ids`."""
        self._ids = ids
        self._reviewers = reviewers

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None
    ) -> list[RuleRecord]:
        """Rules in the order of their making, with people and groups by name."""
        rows = await unit.fetch_listed(store.LIST_RULES, after or START, limit, tenant)
        return [await self._shown(unit, rule_of(row)) for row in rows]

    async def get(self, unit: UnitOfWork, name: str) -> RuleRecord:
        """A rule by its name or id, with people and groups by name. Raises UnknownApprovalRule."""
        row = await unit.fetch_row(store.FIND_RULE, unit.tenant, name)
        if row is None:
            message = f"There is no approval rule {name!r} in this tenant."
            raise UnknownApprovalRule(message)
        return await self._shown(unit, rule_of(row))

    async def put(self, unit: UnitOfWork, rule: Rule, expected: int | None = None) -> tuple[RuleRecord, Outcome]:
        """Make the rule as specified, or change it to be so. Raises InvalidApprovalRule, RightsExceeded, VersionMismatch."""
        check_rule(rule)
        if unit.tenant == PLATFORM_ID:
            message = "The platform itself has no approvals; say which tenant is meant."
            raise InvalidApprovalRule(message)
        rule = await self._stored(unit, rule)
        await self._check_rights(unit, rule)
        row = await unit.fetch_row(store.FIND_RULE, unit.tenant, rule.name)
        outcome = Outcome.CREATED
        if row is None:
            present = await unit.fetch(store.ALL_RULES, unit.tenant)
            if len(present) >= MAX_RULES:
                message = f"a tenant has at most {MAX_RULES} approval rules"
                raise InvalidApprovalRule(message)
            identifier = self._ids.new_id()
            await unit.execute(store.INSERT_RULE, unit.tenant, identifier, rule.name, rule.position, text_of(rule))
        else:
            record, outcome = rule_of(row), Outcome.CHANGED
            check_version(expected, record.version)
            if record.rule == rule:
                return await self._shown(unit, record), Outcome.UNCHANGED
            identifier = record.id
            await unit.execute(store.UPDATE_RULE, unit.tenant, identifier, rule.position, text_of(rule))
        event = "ApprovalRuleCreated" if outcome is Outcome.CREATED else "ApprovalRuleChanged"
        # People stand in it by id.
        unit.record(event, id=identifier, rule=msgspec.to_builtins(rule))
        return await self.get(unit, rule.name), outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a rule; requests that were made under it go on by it. Raises UnknownApprovalRule, VersionMismatch."""
        record = await self.get(unit, name)
        check_version(expected, record.version)
        await unit.execute(store.DELETE_RULE, unit.tenant, record.id)
        unit.record("ApprovalRuleRemoved", id=record.id, name=record.rule.name)

    async def covering(self, unit: UnitOfWork, asked: Asked, person: Person) -> Rule:
        """The rule for what somebody asks for. Raises InvalidAccessRequest when it reaches over several."""
        rows = await unit.fetch(store.ALL_RULES, unit.tenant)
        return covering([rule_of(row).rule for row in rows], asked, person.department)

    async def _stored(self, unit: UnitOfWork, rule: Rule) -> Rule:
        words = self._reviewers.stored_words
        stages = [
            msgspec.structs.replace(
                stage,
                reviewers=await words(unit, stage.reviewers, f"stages[{position}].reviewers"),
                fallback=await words(unit, stage.fallback, f"stages[{position}].fallback"),
            )
            for position, stage in enumerate(rule.stages)
        ]
        emergency = await words(unit, rule.emergency, "emergency")
        return msgspec.structs.replace(rule, stages=tuple(stages), emergency=emergency)

    async def _shown(self, unit: UnitOfWork, record: RuleRecord) -> RuleRecord:
        rule = record.rule
        words = {*rule.emergency}.union(*({*stage.reviewers, *stage.fallback} for stage in rule.stages))
        shown = await self._reviewers.shown_words(unit, record.tenant, words)

        def of(stored: Iterable[str]) -> tuple[str, ...]:
            return tuple(shown[word] for word in stored)

        stages = tuple(
            msgspec.structs.replace(stage, reviewers=of(stage.reviewers), fallback=of(stage.fallback))
            for stage in rule.stages
        )
        rule = msgspec.structs.replace(rule, stages=stages, emergency=of(rule.emergency))
        return RuleRecord(record.id, record.tenant, rule, record.version)

    async def _check_rights(self, unit: UnitOfWork, rule: Rule) -> None:
        """Who makes a rule by which roles or keys' scopes are given gives them, though others say when."""
        gives_scopes = "key_scope" in rule.kinds and not rule.roles
        if rule.kinds and "role" not in rule.kinds and not gives_scopes:
            return
        table = role_table(
            unit.tenant,
            {row["name"]: frozenset(row["permissions"]) for row in await unit.fetch(store.OWN_ROLES, unit.tenant)},
        )
        for position, role in enumerate(rule.roles):
            if role not in table:
                message = f"{role!r} is no role; the roles are {', '.join(table)}"
                raise InvalidApprovalRule(message, param=f"roles[{position}]")
        # A key may have any roles, of which its scopes leave little.
        granted = permissions_in(table, rule.roles) if rule.roles else TENANT_PERMISSIONS
        if not granted <= unit.scope.for_good.permissions:
            message = (
                "By this rule roles could be given that include more than your own rights for good: name in `roles` those that "
                "are meant, or in `kinds` what it covers beside roles."
            )
            raise RightsExceeded(message, param="roles")


def covering(rules: Sequence[Rule], asked: Asked, department: str | None) -> Rule:
    """The first rule that concerns a request. Raises InvalidAccessRequest when it covers only a part of it."""
    for rule in rules:
        if rule.kinds and asked.kind not in rule.kinds:
            continue
        if rule.departments and department not in rule.departments:
            continue
        reach = [
            _reach(rule.models, _models(asked)),
            _reach(rule.use_cases, _use_cases(asked)),
            _reach(rule.roles, asked.role),
            _reach(rule.data_classes, asked.data_class),
        ]
        if "none" in reach:
            continue
        if "part" in reach:
            message = f"The rule {rule.name!r} covers only a part of what this asks for: name the model or use case."
            raise InvalidAccessRequest(message, param="model" if reach[0] == "part" else "use_case")
        return rule
    gives_rights = asked.kind == "role" or not TENANT_PERMISSIONS.isdisjoint(asked.scopes)
    return DEFAULT_RULE_FOR_RIGHTS if gives_rights else DEFAULT_RULE


def _models(asked: Asked) -> str | None:
    return asked.model or (ANY if asked.kind == "use_case" else None)


def _use_cases(asked: Asked) -> str | None:
    return asked.use_case or (ANY if asked.kind == "model" else None)


def _reach(patterns: Iterable[str], asked: str | None) -> str:
    """Whether a condition holds for all of what is asked for, for a part, or for nothing of it."""
    patterns = tuple(patterns)
    if not patterns or (asked is not None and any(contains(pattern, asked) for pattern in patterns)):
        return "all"
    return "part" if asked is not None and any(overlap(pattern, asked) for pattern in patterns) else "none"


def check_rule(rule: Rule) -> None:
    """Refuse a rule that makes no sense. Raises InvalidApprovalRule."""
    check_name(rule.name)
    _check(0 <= rule.position <= MAX_POSITION, "position", f"a position is from 0 to {MAX_POSITION}")
    unknown = [kind for kind in rule.kinds if kind not in KINDS]
    _check(not unknown, "kinds", f"there are the kinds {', '.join(KINDS)}")
    unknown = [name for name in rule.data_classes if name not in DATA_CLASSES]
    _check(not unknown, "data_classes", f"there are the data classes {', '.join(DATA_CLASSES)}")
    for name in ("models", "use_cases", "roles", "departments"):
        _check(len(getattr(rule, name)) <= MAX_PATTERNS, name, f"at most {MAX_PATTERNS}")
    _check(1 <= len(rule.stages) <= MAX_STAGES, "stages", f"a rule has 1 to {MAX_STAGES} stages")
    for position, stage in enumerate(rule.stages):
        _check_stage(stage, f"stages[{position}]")
    _check(len(rule.emergency) <= MAX_REVIEWERS, "emergency", f"at most {MAX_REVIEWERS}")
    for word in rule.emergency:
        _check(word.partition(":")[0] in {"user", "group", "role"}, "emergency", "named as user:…, group:… or role:…")
    for name in ("max_duration_s", "expires_after_s", "emergency_max_s", "emergency_review_s"):
        _check(60 <= getattr(rule, name) <= MAX_DURATION_S, name, "from a minute to 366 days")
    _check(0 <= rule.remind_before_s <= MAX_DURATION_S, "remind_before_s", "from nothing to 366 days")


def _check_stage(stage: Stage, path: str) -> None:
    for name, words, least in (("reviewers", stage.reviewers, 1), ("fallback", stage.fallback, 0)):
        _check(least <= len(words) <= MAX_REVIEWERS, f"{path}.{name}", f"from {least} to {MAX_REVIEWERS} words")
    _check(1 <= stage.needs <= MAX_REVIEWERS, f"{path}.needs", f"from 1 to {MAX_REVIEWERS}")


def _check(holds: bool, param: str, message: str) -> None:  # noqa: FBT001 - what is checked
    if not holds:
        raise InvalidApprovalRule(message, param=param)
