"""Whether what there is in a schema is guarded as it should be."""

from collections.abc import Iterator
from typing import Any

from enfilade.storage.isolation.catalogue import OPERATOR_GROUP, SETTLER_GROUP, Catalogue, tenant_column
from enfilade.storage.isolation.reasons import (
    APP_MAY_CALL,
    DEFINERS,
    INDEXES,
    OPERATOR_WRITES,
    OUR_IDS,
    READ_BY_TENANTS,
    SEALED_COLUMNS,
    WRITER_MAY_CALL,
    WRITTEN_BY_TENANTS,
)
from enfilade.storage.isolation.types import Guarded
from enfilade.storage.migrations import PLATFORM_SCHEMA

CURRENT = "(NULLIF(current_setting('enfilade.tenant'::text, true), ''::text))::uuid"
CURRENT_TENANT = "SELECT nullif(current_setting('enfilade.tenant', true), '')::uuid"


def judge_relations(place: str, catalogue: Catalogue) -> Iterator[Guarded]:
    """Tables, partitions and views."""
    for relation in catalogue.relations:
        name = f"{catalogue.schema}.{relation['name']}"
        if relation["kind"] in "vm":
            yield _judge_view(place, name, relation)
        elif relation["is_partition"]:
            yield _judge_partition(place, name, relation, catalogue.policies.get(relation["oid"], []))
        else:
            guard, faults = _judge_table(catalogue, relation)
            if relation["writer_rights"]:
                faults.append(f"the writer may {_listed(relation['writer_rights'])}")
            yield Guarded("table", place, name, guard, faults=tuple(faults))


def _judge_table(catalogue: Catalogue, relation: Any) -> tuple[str, list[str]]:
    short = relation["name"]
    name = f"{PLATFORM_SCHEMA}.{short}" if catalogue.schema == PLATFORM_SCHEMA else short
    rights = set(relation["app_rights"])
    column = tenant_column(relation)
    if relation["enabled"] or (column is not None and rights):
        faults = _policy_faults(catalogue, relation, name)
        readable = set(relation["readable"])
        for secret in SEALED_COLUMNS.get(short, ()):
            if secret in readable:
                faults.append(f"the app role may read {secret}")
        return "forced row-level security", faults
    if not rights:
        return "the app role has no right to it", []
    allowed = {"SELECT"} | WRITTEN_BY_TENANTS.get(name, set()) if name in READ_BY_TENANTS else set()
    if extra := sorted(rights - allowed):
        return "none", [f"the app role may {_listed(extra)} without row-level security"]
    return READ_BY_TENANTS[name], []


def _policy_faults(catalogue: Catalogue, relation: Any, name: str) -> list[str]:
    faults = []
    if not relation["enabled"]:
        faults.append("row-level security is switched off")
    elif not relation["forced"]:
        faults.append("row-level security is not forced: its owner passes by it")
    column = tenant_column(relation)
    own = {f"({column} = {CURRENT})", f"({column} = {catalogue.schema}.current_tenant())", None}
    policies = catalogue.policies.get(relation["oid"], [])
    for policy in policies:
        faults += _faults_of_policy(policy, own, name)
    if relation["app_rights"] and not any(policy["for_app"] for policy in policies):
        faults.append("there is no policy for the app role, which has rights to it")
    return faults


def _faults_of_policy(policy: Any, own: set[str | None], name: str) -> list[str]:
    roles = set(policy["roles"])
    if policy["for_app"]:
        wide = [part for part in (policy["rows"], policy["written"]) if part not in own]
        return [f"the policy {policy['name']} lets the app role have {part}" for part in wide]
    if roles == {OPERATOR_GROUP}:
        if policy["command"] in {"r", OPERATOR_WRITES.get(name)}:
            return []
        return [f"the policy {policy['name']} lets operators change rows of all tenants"]
    if roles == {SETTLER_GROUP} or policy["for_owner"]:
        return []
    return [f"the policy {policy['name']} is for {_listed(sorted(roles))}"]


def _judge_partition(place: str, name: str, relation: Any, policies: list[Any]) -> Guarded:
    faults = []
    if relation["app_rights"]:
        faults.append(f"the app role may {_listed(relation['app_rights'])} without its parent's policies")
    faults += [f"the policy {policy['name']} is for the app role" for policy in policies if policy["for_app"]]
    return Guarded("table", place, name, "a partition: the app role has no right to it", faults=tuple(faults))


def _judge_view(place: str, name: str, relation: Any) -> Guarded:
    options = {option.lower() for option in relation["options"]}
    if not relation["app_rights"] and not relation["writer_rights"]:
        return Guarded("view", place, name, "the app role has no right to it")
    if relation["kind"] == "v" and options & {"security_invoker=true", "security_invoker=on", "security_invoker=1"}:
        return Guarded("view", place, name, "reads with the caller's rights")
    return Guarded("view", place, name, "none", faults=("it reads with its owner's rights, past the policies",))


def judge_functions(place: str, catalogue: Catalogue) -> Iterator[Guarded]:
    """Functions: who may call them, and with whose rights they work."""
    for function in catalogue.functions:
        name, faults = function["name"], []
        guards = ["with its owner's rights" if function["is_definer"] else "with the caller's rights"]
        for role, may, known in (
            ("app", function["app"], APP_MAY_CALL),
            ("writer", function["writer"], WRITER_MAY_CALL),
        ):
            if may and name in known:
                guards.append(f"{role}: {known[name]}")
            elif may:
                faults.append(f"the {role} role may call it, which is not foreseen")
        if function["is_definer"]:
            if name not in DEFINERS:
                faults.append("it works with its owner's rights, which is not foreseen")
            if not any(setting.startswith("search_path=") for setting in function["settings"]):
                faults.append("it works with its owner's rights, and its search path is not fixed")
        if name == "current_tenant" and function["source"].strip() != CURRENT_TENANT:
            faults.append("it tells another tenant than the one that is set")
        if not function["app"] and not function["writer"]:
            guards.append("neither app nor writer may call it")
        shown = f"{catalogue.schema}.{name}({function['arguments']})"
        yield Guarded("function", place, shown, "; ".join(guards), faults=tuple(faults))


def judge_indexes(place: str, catalogue: Catalogue) -> Iterator[Guarded]:
    """Indexes: whether one tenant's values can meet another's in them."""
    tenants = catalogue.with_tenant
    for index in catalogue.indexes:
        column, columns = tenants.get(index["relation"]), [name.strip('"') for name in index["columns"]]
        name = f"{catalogue.schema}.{index['name']}"
        if column is None:
            guard, faults = "of a table without tenants", ()
        elif columns[0] == column:
            guard, faults = "begins with the tenant", ()
        elif index["is_unique"] and set(columns) <= OUR_IDS:
            guard, faults = "over an id that only we make", ()
        elif index["name"] in INDEXES:
            guard, faults = INDEXES[index["name"]], ()
        else:
            text = f"it is over {_listed(columns)}: values of all tenants meet in it"
            yield Guarded("index", place, name, "none", faults=(text,))
            continue
        yield Guarded("index", place, name, guard, faults=faults)


def judge_role(place: str, role: Any, wanted: list[str], *, may_miss: bool = False) -> Guarded:
    """A role: it has no power over the server, and belongs to those groups and no other."""
    faults = []
    if role["is_powerful"]:
        faults.append("it may pass by row-level security, or make itself what does")
    extra = sorted(set(role["groups"]) - set(wanted))
    missing = sorted(set(wanted) - set(role["groups"]))
    if extra:
        faults.append(f"it belongs to {_listed(extra)}")
    if missing and not may_miss:
        faults.append(f"it does not belong to {_listed(missing)}")
    guard = f"no power over the server; belongs to {_listed(wanted) or 'nothing'}"
    return Guarded("role", place, role["name"], guard, faults=tuple(faults))


def _listed(words: list[str]) -> str:
    return ", ".join(words)
