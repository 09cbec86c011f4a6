"""Between the document's parts and the rooms' specifications, in both directions."""

from decimal import Decimal
from typing import Any

import msgspec

from enfilade.configuration import document as doc
from enfilade.configuration.limit_parts import Budget, Limit
from enfilade.configuration.model_parts import Alias, Model
from enfilade.configuration.provider_parts import Provider
from enfilade.configuration.secret_part import Secret
from enfilade.core.money import NANO_PER_USD
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.limits import LimitSpec
from enfilade.costs.holds.types import BudgetRule, LimitRule
from enfilade.gateway.types import AliasRule, AliasSpec, DeploymentSpec, ModelSpec
from enfilade.identity.types import (
    AS_IT_IS,
    Application,
    ApplicationSettings,
    ApplicationSpec,
    KeySpec,
    Tenant,
    TenantSpec,
)
from enfilade.providers.types import ProviderSpec, SecretReference, TimeoutSpec
from enfilade.storage.cells import HOME


def tenant_spec(part: doc.TenantBase) -> TenantSpec:
    """What identity needs of a tenant."""
    return TenantSpec(
        name=part.name,
        isolation=part.isolation or AS_IT_IS,
        region=part.region,
        security_level=part.security_level,
        time_zone=part.time_zone,
        allowed_models=tuple(part.allowed_models),
        max_tokens_per_request=part.max_tokens_per_request,
        cell=part.cell,
    )


def tenant_fields(tenant: Tenant) -> dict[str, Any]:
    """A tenant in the document's words."""
    spec = tenant.spec
    return {
        "name": spec.name,
        "isolation": spec.isolation,
        "cell": None if tenant.cell == HOME else tenant.cell,
        "region": spec.region,
        "security_level": spec.security_level,
        "time_zone": spec.time_zone,
        "allowed_models": list(spec.allowed_models),
        "max_tokens_per_request": spec.max_tokens_per_request,
    }


def application_spec(part: doc.Application) -> ApplicationSpec:
    """What identity needs of an application."""
    settings = ApplicationSettings(
        store_responses=part.store_responses,
        response_days=part.response_days,
        strict=part.strict,
        use_cases=tuple(part.use_cases),
    )
    if part.cache is not None:
        settings = msgspec.structs.replace(
            settings, cache_ttl_s=int(part.cache.ttl), cache_max_bytes=part.cache.max_bytes
        )
    return ApplicationSpec(part.name, part.department, tuple(part.allowed_models), settings)


def application_fields(application: Application) -> dict[str, Any]:
    """An application in the document's words."""
    settings = application.spec.settings
    cache = None
    if settings.cache_ttl_s:
        cache = {"ttl": float(settings.cache_ttl_s), "max_bytes": settings.cache_max_bytes}
    return {
        "name": application.spec.name,
        "department": application.spec.department,
        "allowed_models": list(application.spec.allowed_models),
        "cache": cache,
        "store_responses": settings.store_responses,
        "response_days": settings.response_days,
        "use_cases": list(settings.use_cases),
        "strict": settings.strict,
    }


def key_spec(part: doc.Key) -> KeySpec:
    """What identity needs of a key; its secret goes beside it."""
    return KeySpec(
        name=part.name,
        application=part.application,
        user=part.user,
        roles=tuple(part.roles),
        expires_at=part.expires,
        allowed_ips=tuple(part.allowed_ips),
        scopes=tuple(part.scopes),
        confined_to=part.confined_to,
    )


def limit_spec(part: Limit) -> LimitSpec:
    """What costs needs of a limit."""
    measure, amount = next(
        (name, value) for name in ("requests", "tokens", "concurrency") if (value := getattr(part, name)) is not None
    )
    return LimitSpec(part.scope, measure, amount, part.per, part.model)


def limit_fields(rule: LimitRule, scope: str) -> dict[str, Any]:
    """A limit in the document's words."""
    return {"scope": scope, "model": rule.model, rule.measure.value: rule.amount, "per": rule.per}


def budget_spec(part: Budget) -> BudgetSpec:
    """What costs needs of a budget."""
    return BudgetSpec(
        part.scope,
        part.window,
        part.limit_usd,
        tuple(part.alerts),
        part.action,
        part.model,
        part.month_starts_on,
        part.year_starts_in,
        part.carry_over,
        part.carry_over_limit_usd,
    )


def budget_fields(rule: BudgetRule, scope: str) -> dict[str, Any]:
    """A budget in the document's words."""
    return {
        "scope": scope,
        "model": rule.model,
        "window": rule.period,
        "limit_usd": Decimal(rule.limit_nano) / NANO_PER_USD,
        "alerts": [Decimal(share) for share in rule.alerts],
        "action": rule.action.value,
        "month_starts_on": rule.month_starts_on,
        "year_starts_in": rule.year_starts_in,
        "carry_over": rule.carry_over,
        "carry_over_limit_usd": (
            None if rule.carry_over_limit_nano is None else Decimal(rule.carry_over_limit_nano) / NANO_PER_USD
        ),
    }


def provider_spec(part: Provider) -> tuple[ProviderSpec, dict[str, str]]:
    """What providers needs, and those secrets that are given as values: the key's as `api_key`, options' by name."""
    given = {name: value for name, value in part.options.items() if isinstance(value, Secret)}
    if part.api_key is not None:
        given["api_key"] = part.api_key
    secrets = {name: secret.value for name, secret in given.items() if secret.value is not None}
    references = {name: secret_reference(secret) for name, secret in given.items() if name not in secrets}
    options = {name: value for name, value in part.options.items() if name not in given}
    options |= {name: reference.shown() for name, reference in references.items() if name in part.options}
    timeout = part.timeout
    spec = ProviderSpec(
        name=part.name,
        kind=part.kind,
        base_url=part.base_url,
        api_key=references.get("api_key"),
        region=part.region,
        zone=part.zone,
        timeout=TimeoutSpec(timeout.connect, timeout.first_byte, timeout.between_bytes, timeout.total),
        max_concurrency=part.max_concurrency,
        allow_private_network=part.allow_private_network,
        options=options,
    )
    return spec, secrets


def secret_reference(secret: Secret) -> SecretReference:
    """Where a secret is that is not given as a value."""
    return SecretReference(env=secret.env, file=secret.file, vault=secret.vault, sealed=secret.sealed)


def provider_fields(spec: ProviderSpec) -> dict[str, Any]:
    """A provider in the document's words; its secrets as references."""
    timeout = spec.timeout
    return {
        "name": spec.name,
        "kind": spec.kind,
        "base_url": spec.base_url,
        "api_key": spec.api_key.shown() if spec.api_key else None,
        "region": spec.region,
        "zone": spec.zone,
        "timeout": {
            "connect": timeout.connect,
            "first_byte": timeout.first_byte,
            "between_bytes": timeout.between_bytes,
            "total": timeout.total,
        },
        "max_concurrency": spec.max_concurrency,
        "allow_private_network": spec.allow_private_network,
        "options": dict(spec.options),
    }


def model_spec(part: Model) -> ModelSpec:
    """What the gateway needs of a model; its price goes to costs."""
    return ModelSpec(
        name=part.name,
        deployments=tuple(DeploymentSpec(d.provider, d.model, d.weight) for d in part.deployments),
        strategy=part.strategy,
        fallbacks=tuple(part.fallbacks),
        context_window=part.context_window,
        max_output_tokens=part.max_output_tokens,
        capabilities=tuple(part.capabilities),
    )


def model_fields(spec: ModelSpec) -> dict[str, Any]:
    """A model in the document's words; its prices go beside it."""
    return {
        "name": spec.name,
        "deployments": [{"provider": d.provider, "model": d.model, "weight": d.weight} for d in spec.deployments],
        "strategy": spec.strategy,
        "fallbacks": list(spec.fallbacks),
        "context_window": spec.context_window,
        "max_output_tokens": spec.max_output_tokens,
        "capabilities": list(spec.capabilities),
    }


def alias_spec(part: Alias) -> AliasSpec:
    """What the gateway needs of an alias."""
    return AliasSpec(part.name, part.model, tuple(AliasRule(rule.use, dict(rule.when)) for rule in part.rules))


def alias_fields(spec: AliasSpec) -> dict[str, Any]:
    """An alias in the document's words."""
    return {
        "name": spec.name,
        "model": spec.model,
        "rules": [{"use": rule.use, "when": dict(rule.when)} for rule in spec.rules],
    }
