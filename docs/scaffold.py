"""`./dev new KIND NAME`: the file with which a new member of a family begins. It works as it is, and says what to change."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "enfilade"

ADAPTER = '''"""{title}: where its API is described."""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="{name}",
    default_base_url=None,
    paths={{"openai_chat": "/chat/completions"}},
    authorize=bearer,
    traits=Traits(output_field="max_tokens"),
)
'''

STRATEGY = '''"""{title}: in which order deployments are tried, and why."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the type of what the caller passes in

from enfilade.gateway.types import Target


def order(targets: Sequence[Target], random: Random) -> list[Target]:
    """See `Strategy`."""
    del random
    return sorted(targets, key=lambda target: target.label)


STRATEGY = order
'''

ROUTE = '''"""{title}, in the admin API."""

from typing import Annotated

from fastapi import APIRouter, Depends

from enfilade.api.admin.security import Actor, Needs
from enfilade.api.admin.views import View
from enfilade.identity.permissions import CATALOGUE_READ


class {camel}View(View):
    """What is shown of it."""

    tenant: str


ROUTER = APIRouter(prefix="/{dashed}", tags=["{name}"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ))]


@ROUTER.get("")
async def show(actor: Reader) -> {camel}View:
    """Show {title_lower}."""
    return {camel}View(tenant=actor.principal.tenant.name)
'''

MIGRATION = """-- {title}: why the schema changes. Core SQL of PostgreSQL 15; a table with a tenant_id gets its policies here.
"""


def adapter(name: str) -> Path:
    """A kind of provider."""
    return SOURCE / "providers" / "adapters" / f"{name}.py"


def strategy(name: str) -> Path:
    """A way to order deployments."""
    return SOURCE / "gateway" / "strategies" / f"{name}.py"


def route(name: str) -> Path:
    """A noun of the admin API."""
    return SOURCE / "api" / "routes" / f"{name}.py"


def migration(name: str) -> Path:
    """A change of every cell's schema: the next number."""
    folder = SOURCE / "storage" / "migrations" / "cell"
    last = max(int(path.name[:4]) for path in folder.glob("[0-9]*.sql"))
    return folder / f"{last + 1:04d}_{name}.sql"


KINDS: dict[str, tuple[Callable[[str], Path], str]] = {
    "adapter": (adapter, ADAPTER),
    "strategy": (strategy, STRATEGY),
    "route": (route, ROUTE),
    "migration": (migration, MIGRATION),
}


def render(kind: str, name: str) -> tuple[Path, str]:
    """The path and the text of a new member."""
    place, template = KINDS[kind]
    words = name.split("_")
    title = " ".join(words).capitalize()
    camel = "".join(word.capitalize() for word in words)
    text = template.format(name=name, title=title, title_lower=title.lower(), camel=camel, dashed="-".join(words))
    return place(name), text


def main() -> int:
    """Write the file, unless there is one."""
    parser = argparse.ArgumentParser(prog="./dev new", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("name", help="lower case, words joined by _")
    given = parser.parse_args()
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", given.name):
        parser.error("a name is lower case, with words joined by _")
    path, text = render(given.kind, given.name)
    if path.exists():
        print(f"{path.relative_to(ROOT)} is there already", file=sys.stderr)
        return 1
    path.write_text(text)
    print(f"wrote {path.relative_to(ROOT)}; see docs/how-to/extend.md for what goes with it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
