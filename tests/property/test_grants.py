"""No sequence of roles, assignments, groups and keys by people gives anybody a right that no owner gave.

The rules are those of the service (`check_grant`, `add_up`, `key_rights`); the rows around them are a small model, so that
thousands of sequences are tried without a database.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from enfilade.core.scope import Confined, Scope
from enfilade.identity.errors import RightsExceeded
from enfilade.identity.permissions import TENANT_PERMISSIONS, TENANT_ROLES
from enfilade.identity.roles.effective import Assignment, Rights, add_up, role_table
from enfilade.identity.roles.granting import check_all, check_grant
from enfilade.identity.roles.narrowing import narrowing_of
from enfilade.identity.roles.standing import Place, Standing, key_rights
from enfilade.identity.scopes import person_scope, rights_scope

PEOPLE = ("owner", "ana", "ben", "cy")
GROUPS = ("leads", "crowd")
APPLICATIONS: dict[str, str | None] = {"copilot": "sales", "review": "engineering", "lonely": None}
PLACES: tuple[Place | None, ...] = (
    None,
    ("department", "sales"),
    ("department", "engineering"),
    *((("application", name)) for name in APPLICATIONS),
)
ROLE_NAMES = ("owner", "admin", "operator", "developer", "own-1", "own-2")
SOME_PERMISSIONS = st.frozensets(st.sampled_from(sorted(TENANT_PERMISSIONS)), max_size=6)
Reach = frozenset[tuple[str, str]]
"""Permissions with where they hold: `tenant`, or a department's or an application's name."""


@dataclass
class Unit:
    """As much of a unit of work as the rules look at."""

    scope: Scope


@dataclass
class KeyRow:
    """A key that somebody issued."""

    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    only: Place | None
    user: str | None


@dataclass
class World:
    """The rows."""

    own: dict[str, frozenset[str]] = field(default_factory=dict)
    members: set[tuple[str, str]] = field(default_factory=set)
    assignments: list[Assignment] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)

    @property
    def table(self) -> Any:
        """The roles that there are."""
        return role_table("acme", self.own)

    def rights(self, person: str) -> Rights:
        """What somebody may do."""
        held = {group for group, member in self.members if member == person}
        return add_up(self.table, (), [a for a in self.assignments if a.user_id == person or a.group_id in held])

    def rights_of_key(self, key: KeyRow) -> Rights:
        """What a key may do."""
        holder = self.rights(key.user) if key.user else None
        return key_rights(Standing(self.table), key.roles, key.scopes, key.only, holder)


def where(place: Place | None) -> tuple[str | None, str | None]:
    """The department and application of a place."""
    if place is None:
        return None, None
    kind, name = place
    return (name, None) if kind == "department" else (APPLICATIONS[name], name)


def reach(rights: Rights) -> Reach:
    """All that the rights let one do, place by place."""
    found = {(permission, "tenant") for permission in rights.permissions}
    for part in rights.confined:
        found |= {(permission, part.id) for permission in part.permissions}
    return frozenset(found)


def covers(held: Reach, wanted: tuple[str, str]) -> bool:
    """Whether a right is among those held, or follows from one that holds in more places."""
    permission, place = wanted
    return bool({wanted, (permission, "tenant"), (permission, APPLICATIONS.get(place) or place)} & held)


class Grants(RuleBasedStateMachine):
    """Everybody tries everything; `given` holds what owners gave of their own will."""

    @initialize()
    def begin(self) -> None:
        """One owner, and others with what the owner gave them."""
        self.world = World()
        self.given: set[tuple[str, str]] = set()
        self.world.assignments += [
            Assignment("0", "acme", "owner", user_id="owner"),
            Assignment("1", "acme", "admin", user_id="ana"),
            Assignment("2", "acme", "admin", user_id="ben", department_id="sales"),
            # Nobody is in there yet: these rights nobody has been given.
            Assignment("3", "acme", "owner", group_id="leads"),
        ]
        self.note(self.unit("owner", None))

    def unit(self, actor: str, through: int | None) -> Any:
        """Somebody at work: as themselves, or by a key that anybody has got hold of."""
        if through is not None and self.world.keys:
            key = self.world.keys[through % len(self.world.keys)]
            return Unit(rights_scope("acme", "k", self.world.rights_of_key(key)))
        return Unit(person_scope("acme", actor, self.world.rights(actor)))

    def is_by_owner(self, unit: Any) -> bool:
        """Whether whoever acts holds everything: what they give is given."""
        return bool(TENANT_ROLES["owner"] <= unit.scope.permissions)

    def note(self, unit: Any) -> None:
        """After an owner's act, what anybody but an owner has is what owners gave."""
        if self.is_by_owner(unit):
            for person in PEOPLE:
                self.given |= reach(self.world.rights(person)) if person != "owner" else set()
            for key in self.world.keys:
                self.given |= reach(self.world.rights_of_key(key))

    actors = st.sampled_from(PEOPLE)
    keys = st.none() | st.integers(0, 5)

    @rule(actor=actors, through=keys, name=st.sampled_from(("own-1", "own-2")), permissions=SOME_PERMISSIONS)
    def put_role(self, actor: str, through: int | None, name: str, permissions: frozenset[str]) -> None:
        """Make or change a role."""
        unit = self.unit(actor, through)
        try:
            check_grant(unit, {"roles:write", *permissions, *self.world.own.get(name, ())})
        except RightsExceeded:
            return
        self.world.own[name] = permissions
        self.note(unit)

    @rule(
        actor=actors,
        through=keys,
        role=st.sampled_from(ROLE_NAMES),
        to=st.sampled_from(PEOPLE + GROUPS),
        place=st.sampled_from(PLACES),
    )
    def assign(self, actor: str, through: int | None, role: str, to: str, place: Place | None) -> None:
        """Give a role to a user or a group."""
        unit, world = self.unit(actor, through), self.world
        if role not in world.table:
            return
        try:
            check_grant(unit, {*world.table[role], "roles:write"}, *where(place))
        except RightsExceeded:
            return
        made = Assignment(str(len(world.assignments)), "acme", role)
        made = replace(made, user_id=to) if to in PEOPLE else replace(made, group_id=to)
        if place is not None:
            made = replace(made, **{f"{place[0]}_id": place[1]})
        world.assignments.append(made)
        self.note(unit)

    @rule(actor=actors, through=keys, group=st.sampled_from(GROUPS), member=st.sampled_from(PEOPLE))
    def join(self, actor: str, through: int | None, group: str, member: str) -> None:
        """Put somebody into a group."""
        unit, world = self.unit(actor, through), self.world
        rights = add_up(world.table, (), [a for a in world.assignments if a.group_id == group])
        try:
            check_grant(unit, {"people:write"})
            check_all(unit, rights, APPLICATIONS)
        except RightsExceeded:
            return
        world.members.add((group, member))
        self.note(unit)

    @rule(
        actor=actors,
        through=keys,
        roles=st.lists(st.sampled_from(ROLE_NAMES), max_size=2),
        scopes=SOME_PERMISSIONS,
        only=st.sampled_from(PLACES),
        user=st.none() | st.sampled_from(PEOPLE),
    )
    def issue(
        self,
        actor: str,
        through: int | None,
        roles: list[str],
        scopes: frozenset[str],
        only: Place | None,
        user: str | None,
    ) -> None:
        """Issue a key: its secret is then everybody's."""
        unit, world = self.unit(actor, through), self.world
        named = tuple(role for role in roles if role in world.table)
        granted = frozenset().union(*(world.table[role] for role in named))
        if scopes:
            granted &= narrowing_of(scopes).permissions or frozenset()
        try:
            check_grant(unit, {"keys:write", *granted}, *where(only))
        except RightsExceeded:
            return
        world.keys.append(KeyRow(named, tuple(sorted(scopes)), only, user))
        self.note(unit)

    @rule(number=st.integers(0, 20))
    def unassign(self, number: int) -> None:
        """Take an assignment back; the owner stays."""
        if len(self.world.assignments) > 1:
            del self.world.assignments[1 + number % (len(self.world.assignments) - 1)]

    @invariant()
    def nobody_has_what_no_owner_gave(self) -> None:
        """Everything that a person or a key may do, an owner gave, there or in more places."""
        if not hasattr(self, "world"):
            return
        held = [reach(self.world.rights(person)) for person in PEOPLE if person != "owner"]
        held += [reach(self.world.rights_of_key(key)) for key in self.world.keys]
        given = frozenset(self.given)
        for rights in held:
            assert not [right for right in rights if not covers(given, right)]


TestGrants = Grants.TestCase
TestGrants.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_right_in_a_department_covers_its_applications_and_nothing_else() -> None:
    part = Confined("department", "sales", frozenset({"keys:write"}))
    unit: Any = Unit(person_scope("acme", "ana", Rights(confined=(part,))))
    for place in PLACES:
        allowed = where(place)[0] == "sales"
        try:
            check_grant(unit, {"keys:write"}, *where(place))
        except RightsExceeded:
            assert not allowed, place
        else:
            assert allowed, place
