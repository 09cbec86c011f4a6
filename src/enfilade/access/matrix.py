"""The model access matrix and Cedar: each row is one permit, and reads back as the row that it was."""

import json
from typing import Any

import cedarpy
import msgspec

from enfilade.access.content import MATRIX, MatrixRow
from enfilade.access.errors import InvalidAccess
from enfilade.access.source import Statement, quoted, read
from enfilade.access.types import DATA_CLASSES, RANK

WHO = {"departments": "Department", "applications": "Application", "roles": "Role", "users": "User"}


def cedar_of(row: MatrixRow) -> str:
    """The policy of a row, without annotations."""
    clauses = []
    who = [_entities("principal", kind, getattr(row, column)) for column, kind in WHO.items() if getattr(row, column)]
    if who:
        clauses.append(" || ".join(who))
    if row.models:
        clauses.append(_models(row.models))
    if row.use_cases:
        clauses.append(f"[{', '.join(map(quoted, row.use_cases))}].contains(context.use_case)")
    clauses.append(f"context.data_class_rank <= {RANK[row.data_class]}")
    if row.approval:
        clauses.append("context.approved")
    return (
        'permit (principal, action == Action::"call", resource)\n'
        + "\n".join(f"when {{ {clause} }}" for clause in clauses)
        + ";"
    )


def _models(models: tuple[str, ...]) -> str:
    names = tuple(name for name in models if "*" not in name)
    parts = [_entities("resource", "Model", names)] if names else []
    parts += [f"resource.model like {quoted(pattern)}" for pattern in models if "*" in pattern]
    return " || ".join(parts)


def _entities(variable: str, kind: str, names: tuple[str, ...]) -> str:
    # The entities of one set have one type: Cedar's validation wants it so.
    return f"{variable} in [{', '.join(f'{kind}::{quoted(name)}' for name in names)}]"


def normal_row(row: MatrixRow) -> MatrixRow:
    """The row as it reads back: addresses in lower case, patterns after names, nothing twice."""
    models = dict.fromkeys(sorted(row.models, key=lambda name: "*" in name))
    columns: dict[str, Any] = {column: tuple(dict.fromkeys(getattr(row, column))) for column in (*WHO, "use_cases")}
    columns["users"] = tuple(dict.fromkeys(user.lower() for user in row.users))
    return msgspec.structs.replace(row, models=tuple(models), **columns)


def rows_as_cedar(rows: tuple[MatrixRow, ...]) -> str:
    """The whole matrix as policies."""
    return "\n\n".join(_annotated(row) for row in rows) + ("\n" if rows else "")


def _annotated(row: MatrixRow) -> str:
    notes = [f"@id({quoted(MATRIX + row.name)})"]
    if row.description:
        notes.append(f"@description({quoted(row.description)})")
    if not row.visible:
        notes.append('@visible("false")')
    if not row.enabled:
        notes.append('@enabled("false")')
    return "\n".join([*notes, cedar_of(row)])


def rows_from_cedar(text: str) -> tuple[MatrixRow, ...]:
    """The rows behind policies of the matrix's form. Raises Fault, InvalidAccess for what is no row."""
    return tuple(_row(statement) for statement in read(text))


def _row(statement: Statement) -> MatrixRow:
    notes = statement.annotations
    fields: dict[str, Any] = {
        "name": notes.get("id", "").removeprefix(MATRIX),
        "description": notes.get("description", ""),
        "visible": notes.get("visible") != "false",
        "enabled": notes.get("enabled") != "false",
    }
    try:
        form = json.loads(cedarpy.policies_to_json_str(statement.text))["staticPolicies"]["policy0"]
        if form["effect"] != "permit" or form["action"]["entity"]["id"] != "call":
            raise _no_row(statement)
        for condition in form["conditions"]:
            if condition["kind"] != "when":
                raise _no_row(statement)
            fields |= _columns(condition["body"])
    except (KeyError, ValueError, TypeError, IndexError):
        raise _no_row(statement) from None
    if "data_class" not in fields:
        raise _no_row(statement)
    return MatrixRow(**fields)


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    """What one `when` says, in the matrix's words. Raises KeyError for what it has no word for."""
    if body == {".": {"left": {"Var": "context"}, "attr": "approved"}}:
        return {"approval": True}
    if "<=" in body and body["<="]["left"] == {".": {"left": {"Var": "context"}, "attr": "data_class_rank"}}:
        return {"data_class": DATA_CLASSES[body["<="]["right"]["Value"]]}
    if "contains" in body and body["contains"]["right"] == {".": {"left": {"Var": "context"}, "attr": "use_case"}}:
        return {"use_cases": tuple(entry["Value"] for entry in body["contains"]["left"]["Set"])}
    first = body
    while "||" in first:
        first = first["||"]["left"]
    if "in" in first and first["in"]["left"] == {"Var": "principal"}:
        return _who(body)
    return {"models": _model_names(body)}


def _who(body: dict[str, Any]) -> dict[str, Any]:
    if "||" in body:
        return _who(body["||"]["left"]) | _who(body["||"]["right"])
    if body["in"]["left"] != {"Var": "principal"}:
        raise KeyError
    entities = [entry["Value"]["__entity"] for entry in body["in"]["right"]["Set"]]
    column = next(column for column, kind in WHO.items() if kind == entities[0]["type"])
    return {column: tuple(entity["id"] for entity in entities)}


def _model_names(body: dict[str, Any]) -> tuple[str, ...]:
    if "||" in body:
        return (*_model_names(body["||"]["left"]), *_model_names(body["||"]["right"]))
    if "like" in body:
        if body["like"]["left"] != {".": {"left": {"Var": "resource"}, "attr": "model"}}:
            raise KeyError
        parts = ["*" if part == "Wildcard" else part["Literal"] for part in body["like"]["pattern"]]
        if {"Literal": "*"} in body["like"]["pattern"]:
            raise KeyError
        return ("".join(parts),)
    if body["in"]["left"] != {"Var": "resource"}:
        raise KeyError
    return tuple(entry["Value"]["__entity"]["id"] for entry in body["in"]["right"]["Set"])


def _no_row(statement: Statement) -> InvalidAccess:
    place = statement.tokens[0]
    message = f"line {place.line}: this policy is no row of the matrix; keep it among the policies"
    return InvalidAccess(message, param="matrix")
