"""The generated reference pages: `./dev docs` writes them, `./dev docs --check` says whether they are true.

What a page says is read from the code that decides it, so a page cannot say what the program does not do.
"""

import argparse
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from fastapi.routing import APIRoute

import enfilade
from enfilade.api.admin.security import permission_of
from enfilade.api.admin_app import PREFIX, admin_routers
from enfilade.cli.output import EXIT_MEANINGS
from enfilade.cli.root import ROOT
from enfilade.configuration.document import document_schema
from enfilade.core.errors import EnfiladeError, all_errors
from enfilade.costs.outlook.alerts import ALERTS
from enfilade.identity.permissions import ALL_PERMISSIONS, PLATFORM_ROLES, TENANT_ROLES
from enfilade.providers import adapters as adapters_folder
from enfilade.providers.http_provider import HttpAdapter
from enfilade.providers.registry import KNOWN_OPTIONS, Adapters
from enfilade.providers.simulated.script import DIRECTIVES
from enfilade.settings import documented_settings
from enfilade.telemetry.logs import ALLOWED_FIELDS
from enfilade.telemetry.names import CALL_LOG_FIELDS, LATENCY_BUCKETS, METRICS

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs.access import access_schema
from docs.capabilities import capabilities
from docs.exports import exports
from docs.matrix import translation
from docs.pages import code, page, table
from docs.usage import usage

REFERENCE = Path(__file__).resolve().parent / "reference"


def settings() -> str:
    """What an operator sets from outside."""
    rows = ((code(name), code(default), meaning) for name, default, meaning in documented_settings())
    return page(
        "Settings",
        "Each setting is an environment variable. Options of commands go before them. What is not set from outside, "
        "tenants, keys, models, budgets, is [configuration](configuration.md).",
        table(("variable", "default", "meaning"), rows),
    )


def errors() -> str:
    """Every error that a caller may see."""
    found: dict[tuple[str, int], type[EnfiladeError]] = {}
    for module in pkgutil.walk_packages(enfilade.__path__, "enfilade."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for error in all_errors():
        # The root is never raised. A subclass that keeps its parent's code refines it for us, not for callers.
        if error is not EnfiladeError:
            found.setdefault((error.code, error.status), error)
    ordered = sorted(found.values(), key=lambda error: (error.status, error.code))
    rows = ((error.status, code(error.code), _first_line(error), error.remedy) for error in ordered)
    return page(
        "Errors",
        "An error has a stable `code`, a message that says what to do, and the call's `x-request-id`. The data plane "
        "answers in the caller's dialect (`error.code` for OpenAI's, `error.type` plus `error.code` for Anthropic's), "
        "the admin API with problem details (RFC 9457). Names of providers' keys and addresses never stand in one.",
        table(("status", "code", "meaning", "what to do"), rows),
    )


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n\n")[0]


def configuration() -> str:
    """The configuration file."""
    schema = document_schema()
    parts = [
        (
            "One YAML file (or several) says how the platform shall be. `enfilade apply -f FILE` shows what would change "
            "and makes it so; `enfilade export` writes the running state in the same form; `enfilade schema` prints the "
            "JSON Schema for your editor. Unknown keys are refused. `examples/demo.yaml` is a complete example."
        ),
        (
            "Durations are seconds or texts such as `30s`, `5m`, `1h`; money is US dollars. Prices are US "
            "dollars per million tokens or characters, per 1,000 requests, searches or pages, per hour of sound."
        ),
        "## The document",
        _keys_of(schema),
    ]
    for name, part in sorted(schema["$defs"].items()):
        parts += [f"## {name}", part.get("description", ""), _keys_of(part)]
    return page("Configuration", *parts)


def _keys_of(part: dict[str, Any]) -> str:
    required = part.get("required", [])
    rows = []
    for name, field in part["properties"].items():
        default = "required" if name in required else _default(field)
        rows.append((code(name), _type(field), default, field.get("description", "")))
    return table(("key", "type", "default", "meaning"), rows)


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "" if value is None else code(value)


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        kinds = dict.fromkeys(_type(kind) for kind in field["anyOf"] if kind.get("type") != "null")
        return " or ".join(kinds)
    if "enum" in field:
        return ", ".join(code(value) for value in field["enum"])
    if "const" in field:
        return code(field["const"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    bounds = [f"{sign} {field[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in field]
    kind = field.get("type", "any")
    return " ".join([" or ".join(kind) if isinstance(kind, list) else kind, *bounds])


def commands() -> str:
    """The command line."""
    parts = [
        (
            "Commands that talk to a server take `--url` and `--key`, or `ENFILADE_URL` and `ENFILADE_KEY`. `--json` "
            "prints for programs what else is a table."
        ),
        "## Exit codes",
        table(("code", "meaning"), ((int(code), meaning) for code, meaning in EXIT_MEANINGS.items())),
    ]
    for path, command in _walk(typer.main.get_command(ROOT), ("enfilade",)):
        parts.append(f"## {' '.join(path)}")
        parts.append((command.help or command.short_help or "").strip())
        rows = [_option(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts.append(table(("option", "default", "meaning"), rows))
    return page("Command line", *parts)


def _walk(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group. Typer carries its own copy of click, whose classes it does not publish."""
    context = group.context_class(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from _walk(command, (*path, name))


def _option(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "option":
        flags = ", ".join(parameter.opts + parameter.secondary_opts)
        default = parameter.default
        shown = "" if default in (None, False, ()) or callable(default) else code(default)
        return code(flags), shown, parameter.help or ""
    return (
        code(parameter.metavar or (parameter.name or "").upper()),
        "required" if parameter.required else "",
        str(getattr(parameter, "help", None) or ""),
    )


def metrics() -> str:
    """Metrics and log fields."""
    rows = []
    for metric in METRICS:
        name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
        rows.append((code(name), metric.kind, ", ".join(metric.labels), metric.help))
    return page(
        "Metrics and logs",
        "`GET /metrics` answers in Prometheus' text form. Labels are bounded: beyond 2,000 combinations, calls are "
        "counted under `other`.",
        table(("metric", "kind", "labels", "meaning"), rows),
        f"Buckets of histograms, in seconds: {', '.join(f'{bound:g}' for bound in LATENCY_BUCKETS)}.",
        "## Logs",
        "One JSON object a line. Nothing but the fields named here is ever written: no headers, no bodies, no keys.",
        "### The line of a call",
        table(("field", "meaning"), ((code(name), text) for name, text in CALL_LOG_FIELDS.items())),
        "### Other lines",
        ", ".join(code(name) for name in sorted(ALLOWED_FIELDS)) + ".",
    )


def api() -> str:
    """The admin API's routes, and what roles may do."""
    rows = []
    for route in (route for router in admin_routers() for route in router.routes):
        if isinstance(route, APIRoute) and (needs := permission_of(route)):
            path = PREFIX + route.path
            rows += [(path, method, needs.permission, route.summary or "") for method in sorted(route.methods or ())]
    shown = ((code(f"{method} {path}"), code(permission), text) for path, method, permission, text in sorted(rows))
    return page(
        "Admin API",
        "A running server shows all of it, with every field, at `/api/docs`, and as OpenAPI at `/api/openapi.json`.",
        table(("route", "permission", "meaning"), shown),
        "## Roles of a tenant's keys and users",
        _roles(TENANT_ROLES),
        "## Roles of the platform's keys",
        _roles(PLATFORM_ROLES),
    )


def _roles(roles: dict[str, frozenset[str]]) -> str:
    rows = [(code(name), *("✓" if name in granted else "" for granted in roles.values())) for name in ALL_PERMISSIONS]
    return table(("permission", *roles), sorted(rows))


def simulated_models() -> str:
    """The simulated provider's language."""
    rows = ((code(name), meaning) for name, meaning in DIRECTIVES.items())
    return page(
        "Simulated models",
        "A provider of kind `simulated` answers in the server's own process, without network and without cost. What "
        "a model does stands in its name: directives with `+` between them, after `simulated/`. With "
        "the demo configuration every name works at once: `simulated/text-200+pace-20ms`, `simulated/fail-429-then-ok`.",
        "Tokens are counted as they would be paid for: a token is about four characters, and prices, limits, budgets, "
        "retries, fallbacks, breakers and records treat a simulated model as any other. Text, tool calls, streams and "
        "embeddings come in the dialect of the request. `N` is a whole number; durations take `ms` or `s`.",
        table(("directive", "what it does"), rows),
        "A fault applies to each attempt. `then-ok` counts the attempts of one call, over all deployments; `flaky` counts the calls of a "
        "model in this process.",
    )


def alerts() -> str:
    """What alerts say."""
    parts = []
    for name, alert in ALERTS.items():
        rows = ((code(field), meaning) for field, meaning in alert.fields.items())
        parts += [f"## {name}", f"{alert.title} {alert.told}", table(("field", "meaning"), rows)]
    return page(
        "Alerts",
        "Alerts are events of the log that somebody should see. `enfilade spend alerts` and `GET /api/v1/alerts` list them, newest "
        "first; a tenant sees its own, the platform all. Each has the time `at`, the tenant, the `type`, and in `data` the fields that "
        "are named here. Amounts are US dollars with nine places, moments RFC 3339 in UTC, subjects ids.",
        *parts,
    )


def providers() -> str:
    """Every kind of provider."""
    adapters = Adapters()
    modules = {module.ADAPTER.kind: module for module in _modules_of(adapters_folder)}
    rows, parts = [], []
    for kind in adapters.kinds():
        adapter = adapters.adapter(kind)
        if not isinstance(adapter, HttpAdapter):
            continue
        address = adapter.default_base_url
        shown = "depends on its options" if callable(address) else code(address) or "must be given"
        rows.append((f"[{kind}](#{kind})", shown, "yes" if adapter.needs_key else "if it wants one"))
        title, _, differences = (modules[kind].__doc__ or "").strip().partition("\n\n")
        parts += [f"## {kind}", " ".join(title.split()), differences.strip()]
        parts += [_dialects_of(adapter), _traits_of(adapter), _own_options(adapter)]
    return page(
        "Providers",
        "A provider is declared in the [configuration](configuration.md) with one of these kinds. A call whose caller "
        "speaks one of a provider's dialects passes through; any other is translated into the first that fits.",
        table(("kind", "address, unless `base_url` says otherwise", "needs a key"), rows),
        "## Options of every kind",
        table(("option", "meaning"), ((code(name), text) for name, text in sorted(KNOWN_OPTIONS.items()))),
        *(part for part in parts if part),
    )


def _modules_of(folder: Any) -> Iterator[Any]:
    for module in pkgutil.iter_modules(folder.__path__):
        yield import_module(f"{folder.__name__}.{module.name}")


def _dialects_of(adapter: HttpAdapter) -> str:
    rows = (
        (code(name), code(path) if isinstance(path, str) else "by the model") for name, path in adapter.paths.items()
    )
    return table(("dialect", "path"), rows)


def _traits_of(adapter: HttpAdapter) -> str:
    traits = adapter.traits
    said = {
        "output bound in": code(traits.output_field),
        "instructions have the role": code(traits.system_role) if traits.system_role != "system" else "",
        "reasoning in": code(traits.reasoning_field),
        "ids of tool calls": code(traits.tool_id_pattern),
        "stop sequences at most": traits.max_stop or "",
        "has not, when a call is translated": ", ".join(code(name) for name in sorted(traits.lacks)),
    }
    lines = [f"* {what}: {value}" for what, value in said.items() if value]
    return "\n".join(lines)


def _own_options(adapter: HttpAdapter) -> str:
    plain, secret = sorted(adapter.options - adapter.secret_options), sorted(adapter.secret_options)
    lines = [f"* own options: {', '.join(map(code, plain))}"] if plain else []
    lines += [f"* own options that are secrets: {', '.join(map(code, secret))}"] if secret else []
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings,
    "errors.md": errors,
    "configuration.md": configuration,
    "command-line.md": commands,
    "metrics.md": metrics,
    "admin-api.md": api,
    "simulated-models.md": simulated_models,
    "providers.md": providers,
    "alerts.md": alerts,
    "translation.md": translation,
    "access-schema.md": access_schema,
    "capabilities.md": capabilities,
    "usage.md": usage,
    "exports.md": exports,
}


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not true")
    checks = parser.parse_args().check
    stale = []
    for name, write in PAGES.items():
        path, text = REFERENCE / name, write()
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not checks:
            path.write_text(text)
            print(f"wrote docs/reference/{name}")
    if checks and stale:
        print(f"not true any more: {', '.join(stale)}; run ./dev docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
