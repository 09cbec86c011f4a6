"""The running state as a document that, applied again, changes nothing."""

from typing import Any

from enfilade.access.content import EMPTY
from enfilade.configuration import document as doc
from enfilade.configuration import specs
from enfilade.configuration.access import access_fields, use_case_fields
from enfilade.configuration.anomalies import anomaly_fields
from enfilade.configuration.approvals import rule_fields
from enfilade.configuration.billing import issuer_fields, profile_fields
from enfilade.configuration.cells import cell_fields
from enfilade.configuration.closed import is_closed_to
from enfilade.configuration.issuers import token_issuer_fields
from enfilade.configuration.listing import everything
from enfilade.configuration.people import account_rules_fields, user_fields
from enfilade.configuration.prices import adjustment_fields, own_prices, rate_fields
from enfilade.configuration.roles import assignment_fields, role_fields, security_fields
from enfilade.configuration.rooms import Rooms
from enfilade.configuration.subjects import scope_text, subject_names
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.identity.types import LOCAL, Key
from enfilade.storage.unit_of_work import UnitOfWork


async def export_document(rooms: Rooms, scope: Scope) -> doc.Document:
    """Everything that the scope may see: the whole platform, or one tenant."""
    async with rooms.storage.unit_of_work(scope, readonly=True) as unit:
        tenants = await everything(lambda a, n: rooms.identity.tenants.page(unit, a, n))
        content: dict[str, Any] = {
            "version": 1,
            "tenants": [await _tenant(rooms, unit, tenant) for tenant in tenants if tenant.id != PLATFORM_ID],
        }
        if scope.is_platform:
            await unit.act_in(PLATFORM_ID)
            content |= await _platform(rooms, unit)
            await _add_markups(rooms, unit, content["tenants"])
            issuer = await rooms.billing.find_issuer(unit)
            accounts = await rooms.account_rules.find(unit, PLATFORM_ID)
            content["accounts"] = None if accounts is None else account_rules_fields(accounts)
            issuers = await everything(lambda a, n: rooms.issuers.page(unit, a, n, PLATFORM_ID))
            content["issuers"] = [token_issuer_fields(found) for found in issuers]
            content["issuer"] = None if issuer is None else issuer_fields(issuer)
    return doc.Document.model_validate(content)


async def _platform(rooms: Rooms, unit: UnitOfWork) -> dict[str, Any]:
    providers = await everything(lambda a, n: rooms.providers.page(unit, a, n))
    models = await everything(lambda a, n: rooms.catalogue.page_models(unit, a, n))
    aliases = await everything(lambda a, n: rooms.catalogue.page_aliases(unit, a, n))
    keys = await everything(lambda a, n: rooms.identity.keys.page(unit, a, n, PLATFORM_ID))
    cells = await everything(lambda a, n: rooms.identity.cells.page(unit, a, n))
    return {
        "cells": [cell_fields(cell.spec) for cell in cells],
        "providers": [specs.provider_fields(record.spec) for record in providers],
        "models": [
            specs.model_fields(record.spec)
            | await own_prices(rooms.prices.overrides, rooms.prices.clock, unit, record.spec.name)
            for record in models
        ],
        "aliases": [specs.alias_fields(record.spec) for record in aliases],
        "keys": [_key(key) for key in keys],
        "discounts": [
            adjustment_fields(entry)
            for entry in await rooms.prices.agreements.in_force(unit)
            if entry.adjustment.kind == "discount"
        ],
        "currencies": [rate_fields(rate) for rate in await rooms.prices.currencies.history(unit)],
    }


async def _tenant(rooms: Rooms, unit: UnitOfWork, tenant: Any) -> dict[str, Any]:
    identity = rooms.identity
    if unit.scope.is_platform:
        await unit.act_in(tenant.id)
    names = await subject_names(rooms, unit, tenant.id)
    security = await identity.security.get(unit, tenant.id)
    limits = await everything(lambda a, n: rooms.limits.page(unit, a, n, tenant.id))
    budgets = await everything(lambda a, n: rooms.budgets.page(unit, a, n, tenant.id))
    billing = await rooms.billing.find_profile(unit, tenant.id)
    anomalies = await rooms.anomalies.find(unit, tenant.id)
    content = specs.tenant_fields(tenant) | {
        "security": security_fields(security) if security.version else None,
        "limits": [specs.limit_fields(rule, scope_text(rule.subject, names)) for rule in limits],
        "budgets": [specs.budget_fields(rule, scope_text(rule.subject, names)) for rule in budgets],
        "billing": None if billing is None else profile_fields(billing),
        "anomalies": None if anomalies is None else anomaly_fields(anomalies),
    }
    return content if await is_closed_to(unit) else content | await _inside(rooms, unit, tenant.id)


async def _inside(rooms: Rooms, unit: UnitOfWork, tenant: str) -> dict[str, Any]:
    """What a tenant has that the platform need not know to run and bill it."""
    identity = rooms.identity
    departments = await everything(lambda a, n: identity.departments.page(unit, a, n, tenant))
    users = await everything(lambda a, n: identity.users.page(unit, a, n, tenant))
    groups = await everything(lambda a, n: identity.groups.page(unit, a, n, tenant))
    applications = await everything(lambda a, n: identity.applications.page(unit, a, n, tenant))
    keys = await everything(lambda a, n: identity.keys.page(unit, a, n, tenant))
    roles = await everything(lambda a, n: identity.roles.page(unit, a, n, tenant))
    assignments = await everything(lambda a, n: identity.assignments.page(unit, a, n, tenant))
    accounts = await rooms.account_rules.find(unit, tenant)
    use_cases = await everything(lambda a, n: rooms.use_cases.page(unit, a, n, tenant))
    issuers = await everything(lambda a, n: rooms.issuers.page(unit, a, n, tenant))
    approval_rules = await everything(lambda a, n: rooms.approval_rules.page(unit, a, n, tenant))
    policies = await rooms.policies.published(unit, tenant)
    return {
        "approval_rules": [rule_fields(record.rule) for record in approval_rules],
        "use_cases": [use_case_fields(use_case.spec) for use_case in use_cases],
        "access": None if policies is None or policies.content == EMPTY else access_fields(policies.content),
        "issuers": [token_issuer_fields(issuer) for issuer in issuers],
        "departments": [{"name": department.name} for department in departments],
        "users": [user_fields(user) for user in users],
        "groups": [{"name": group.spec.name, "members": list(group.spec.members)} for group in groups],
        "applications": [specs.application_fields(application) for application in applications],
        "roles": [role_fields(role.spec) for role in roles],
        "role_assignments": [assignment_fields(entry) for entry in assignments if entry.source == LOCAL],
        "keys": [_key(key) for key in keys],
        "accounts": None if accounts is None else account_rules_fields(accounts),
    }


async def _add_markups(rooms: Rooms, unit: UnitOfWork, tenants: list[dict[str, Any]]) -> None:
    """A margin is the platform's business: a tenant's own export has none."""
    for entry in await rooms.prices.agreements.in_force(unit):
        if entry.adjustment.kind == "markup":
            tenant = next((tenant for tenant in tenants if tenant["name"] == entry.tenant_name), None)
            if tenant is not None:
                tenant.setdefault("markups", []).append(adjustment_fields(entry))


def _key(key: Key) -> dict[str, Any]:
    """Without its secret, which nobody has: where the key exists it stays as it is, elsewhere a new one is made."""
    spec = key.spec
    return {
        "name": spec.name,
        "application": spec.application,
        "user": spec.user,
        "roles": list(spec.roles),
        "expires": spec.expires_at,
        "allowed_ips": list(spec.allowed_ips),
        "scopes": list(spec.scopes),
        "confined_to": spec.confined_to,
    }


def plain(document: doc.Document) -> dict[str, Any]:
    """The document for YAML or JSON: without what has its default value, but always with its version."""
    return {"version": 1} | document.model_dump(mode="json", exclude_defaults=True)
