"""Between the document's parts about people and the rooms' specifications, in both directions."""

from collections.abc import Iterator, Sequence
from typing import Any

from enfilade.configuration.people_parts import Accounts
from enfilade.configuration.people_parts import Group as GroupPart
from enfilade.configuration.people_parts import User as UserPart
from enfilade.identity.accounts.types import AccountRules
from enfilade.identity.types import GroupSpec, User, UserSpec


def user_spec(part: UserPart) -> UserSpec:
    """What identity needs of a user."""
    return UserSpec(
        part.email,
        part.department,
        tuple(part.roles),
        part.display_name,
        part.manager,
        dict(part.attributes),
        part.active,
    )


def user_fields(user: User) -> dict[str, Any]:
    """A user in the document's words."""
    spec = user.spec
    return {
        "email": spec.email,
        "department": spec.department,
        "roles": list(spec.roles),
        "display_name": spec.display_name,
        "manager": spec.manager,
        "attributes": dict(spec.attributes),
        "active": spec.active,
    }


def group_spec(part: GroupPart) -> GroupSpec:
    """What identity needs of a group."""
    return GroupSpec(part.name, tuple(part.members))


def account_rules_of(part: Accounts) -> AccountRules:
    """What identity needs of the rules for local accounts."""
    return AccountRules(part.require_second_factor, part.local_accounts)


def account_rules_fields(rules: AccountRules) -> dict[str, Any]:
    """Rules for local accounts in the document's words."""
    return {"require_second_factor": rules.require_second_factor, "local_accounts": rules.local_accounts}


def managers_first(users: Sequence[UserPart]) -> Iterator[tuple[int, UserPart]]:
    """Users with their places in the list, each after their manager where that is possible."""
    places = {user.email.lower(): position for position, user in enumerate(users)}
    done: set[int] = set()
    for start in range(len(users)):
        chain: list[int] = []
        position: int | None = start
        while position is not None and position not in done and position not in chain:
            chain.append(position)
            position = places.get((users[position].manager or "").lower())
        done.update(chain)
        yield from ((place, users[place]) for place in reversed(chain))
