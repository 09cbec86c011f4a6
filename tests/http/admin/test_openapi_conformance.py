"""Whatever the published description lets somebody send, the answer is one that it describes, and never a failure."""

import asyncio
from random import Random
from typing import Any, cast

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY, OWNER_KEY

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SETTINGS = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ARCHIVE = "application/x-tar"


@schemathesis.serializer(ARCHIVE)
def serialize_archive(_context: Any, value: Any) -> bytes:
    """What is made up for a file is some bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


KNOWN = {
    "tenants": ["acme", "globex", "nobody"],
    "departments": ["sales", "research", "nothing"],
    "applications": ["copilot", "notebook", "nothing"],
    "users": ["ana@acme.example", "gil@globex.example", "nobody@acme.example"],
    "keys": ["copilot-key", "notebook-key", "nothing"],
    "providers": ["sim", "nothing"],
    "models": ["chat", "simulated/*", "nothing"],
    "prices": ["chat", "simulated/*", "nothing"],
    "aliases": ["fast", "nothing"],
}
"""Names that lead somewhere, so that more than the answer 404 is seen."""


@pytest.mark.parametrize(("key", "examples"), [(OWNER_KEY, 8), (ACME_ADMIN_KEY, 4)], ids=["owner", "tenant admin"])
async def test_every_operation_answers_as_described(house: House, key: str, examples: int) -> None:
    described = (await house.client(None).get("/api/openapi.json")).json()
    await asyncio.to_thread(_try_all, house.url, described, key, examples)


def _try_all(url: str, described: dict[str, Any], key: str, examples: int) -> None:
    schema = schemathesis.openapi.from_dict(described)
    schema.config.generation.update(modes=list(GenerationMode))
    operations: list[Any] = [cast("Any", found).ok() for found in schema.get_all_operations()]
    assert len(operations) > 50
    # What removes comes last, so that there is something to see before.
    operations.sort(key=lambda operation: operation.method.upper() == "DELETE")
    failures = []
    session = requests.Session()
    session.trust_env = False
    for operation in operations:
        try:
            _try(operation, url, key, examples, session)
        except* Exception as found:  # noqa: BLE001 - all operations are tried, and all that is found is told
            failures += [f"{operation.label}: {failure}" for failure in found.exceptions]
    assert not failures, "\n\n".join(failures)


def _try(operation: Any, url: str, key: str, examples: int, session: requests.Session) -> None:
    noun = operation.path.split("/")[3]

    @hypothesis.settings(SETTINGS, max_examples=examples)
    @hypothesis.given(case=operation.as_strategy(), dice=st.randoms(use_true_random=False))
    def one(case: Any, dice: Random) -> None:
        names = KNOWN.get(noun)
        if names and case.path_parameters and dice.random() < 0.5:
            case.path_parameters = {name: dice.choice(names) for name in case.path_parameters}
        if dice.random() < 0.5:
            case.query = {**(case.query or {}), "tenant": "acme"}
        headers = {"authorization": f"Bearer {key}"}
        case.call_and_validate(base_url=url, session=session, headers=headers, checks=CHECKS)

    one()
