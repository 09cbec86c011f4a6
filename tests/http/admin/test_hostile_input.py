"""Input that no form and no well-meaning program sends: refused with a problem, never with a failure."""

import asyncio
import base64
import json
from typing import Any

import pytest
from httpx2 import AsyncClient as Client

from tests.support.house import House
from tests.support.world import OWNER_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUL = "a\x00b"
HUGE = 10**30
HALF = "\ud800"
"""Half of a surrogate pair: JSON can say it, UTF-8 cannot."""

MODEL = {"name": "m", "deployments": [{"provider": "sim", "model": "echo"}]}
PROVIDER = {"name": "p", "kind": "openai_compatible", "base_url": "https://a.example/v1"}
TENANT = {"name": "initech"}
BUDGET = {"scope": "tenant", "window": "day", "limit_usd": 1}
LIMIT = {"scope": "tenant", "requests": 1, "per": "day"}
KEY = {"name": "k", "application": "copilot"}

BODIES: list[tuple[str, dict[str, Any]]] = [
    ("tenants", TENANT | {"region": NUL}),
    ("tenants", TENANT | {"region": HALF}),
    ("tenants", TENANT | {"security_level": NUL}),
    ("tenants", TENANT | {"security_level": "x" * 100_000}),
    ("tenants", TENANT | {"time_zone": NUL}),
    ("tenants", TENANT | {"time_zone": "../../../etc/passwd"}),
    ("tenants", TENANT | {"time_zone": "/etc/passwd"}),
    ("tenants", TENANT | {"time_zone": HALF}),
    ("tenants", TENANT | {"time_zone": ""}),
    ("tenants", TENANT | {"time_zone": "z" * 5000}),
    ("tenants", TENANT | {"max_tokens_per_request": HUGE}),
    ("tenants", TENANT | {"max_tokens_per_request": 2**63}),
    ("tenants", TENANT | {"max_tokens_per_request": 1.5}),
    ("tenants", TENANT | {"max_tokens_per_request": True}),
    ("departments?tenant=acme", {"name": NUL}),
    ("departments?tenant=acme", {"name": "d\n"}),
    ("users?tenant=acme", {"email": f"a{NUL}@b.example"}),
    ("users?tenant=acme", {"email": "new@acme.example", "department": NUL}),
    ("users?tenant=acme", {"email": "new@acme.example", "roles": [NUL]}),
    ("users?tenant=acme", {"email": "new@acme.example", "roles": [HALF]}),
    ("applications?tenant=acme", {"name": "n", "department": NUL}),
    ("applications?tenant=acme", {"name": "n", "department": HALF}),
    ("applications?tenant=acme", {"name": "n", "allowed_models": [NUL]}),
    ("applications?tenant=acme", {"name": "n", "cache": {"ttl": "99999d"}}),
    ("applications?tenant=acme", {"name": "n", "cache": {"ttl": "1s", "max_bytes": HUGE}}),
    ("applications?tenant=acme", {"name": "n", "response_days": HUGE}),
    ("applications?tenant=acme", {"name": "n", "response_days": 0}),
    ("keys?tenant=acme", KEY | {"application": NUL}),
    ("keys?tenant=acme", {"name": "k", "user": NUL}),
    ("keys?tenant=acme", {"name": "k", "user": HALF}),
    ("keys?tenant=acme", KEY | {"roles": [NUL]}),
    ("keys?tenant=acme", KEY | {"allowed_ips": [NUL]}),
    ("keys?tenant=acme", KEY | {"allowed_ips": [HALF]}),
    ("keys?tenant=acme", KEY | {"secret": {"value": "x" * 40 + "\x00"}}),
    ("keys?tenant=acme", KEY | {"secret": {"value": HALF * 40}}),
    ("keys?tenant=acme", KEY | {"expires": "0001-01-01T00:00:00+14:00"}),
    ("keys?tenant=acme", KEY | {"expires": "9999-12-31T23:59:59-14:00"}),
    ("keys?tenant=acme", KEY | {"expires": "9999-99-99"}),
    ("keys?tenant=acme", KEY | {"expires": HUGE}),
    ("keys?tenant=acme", KEY | {"expires": -1}),
    ("limits?tenant=acme", LIMIT | {"requests": HUGE}),
    ("limits?tenant=acme", LIMIT | {"scope": f"application:{NUL}"}),
    ("limits?tenant=acme", LIMIT | {"scope": f"user:{HALF}"}),
    ("limits?tenant=acme", LIMIT | {"scope": ":"}),
    ("budgets?tenant=acme", BUDGET | {"scope": f"key:{NUL}"}),
    ("budgets?tenant=acme", BUDGET | {"limit_usd": 1e300}),
    ("budgets?tenant=acme", BUDGET | {"limit_usd": "1e999999"}),
    ("budgets?tenant=acme", BUDGET | {"limit_usd": "1e99999999999999999999"}),
    ("budgets?tenant=acme", BUDGET | {"limit_usd": "0.00000000001"}),
    ("budgets?tenant=acme", BUDGET | {"limit_usd": "much"}),
    ("budgets?tenant=acme", BUDGET | {"limit_usd": "9" * 5000}),
    ("budgets?tenant=acme", BUDGET | {"alerts": ["1e-999999"]}),
    ("budgets?tenant=acme", BUDGET | {"alerts": ["0.1" + "0" * 40 + "1"]}),
    ("budgets?tenant=acme", BUDGET | {"alerts": [HALF]}),
    ("budgets?tenant=acme", BUDGET | {"model": NUL}),
    ("providers", PROVIDER | {"region": NUL}),
    ("providers", PROVIDER | {"base_url": f"https://{NUL}.example"}),
    ("providers", PROVIDER | {"base_url": "https://[::1"}),
    ("providers", PROVIDER | {"base_url": "https://a.example:99999/"}),
    ("providers", PROVIDER | {"base_url": f"https://{HALF}.example"}),
    ("providers", PROVIDER | {"api_key": {"file": NUL}}),
    ("providers", PROVIDER | {"api_key": {"file": HALF}}),
    ("providers", PROVIDER | {"api_key": {"env": NUL}}),
    ("providers", PROVIDER | {"api_key": {"env": f"{HALF}_API_KEY"}}),
    ("providers", PROVIDER | {"api_key": {"env": f"{NUL}_API_KEY"}}),
    ("providers", PROVIDER | {"api_key": {"value": HALF}}),
    ("providers", PROVIDER | {"api_key": {"sealed": NUL}}),
    ("providers", PROVIDER | {"options": {"proxy": NUL}}),
    ("providers", PROVIDER | {"options": {"proxy": HALF}}),
    ("providers", PROVIDER | {"options": {"output_field": HUGE}}),
    ("providers", PROVIDER | {"options": {HALF: 1}}),
    ("providers", PROVIDER | {"options": {"ca_file": 7}}),
    ("providers", PROVIDER | {"options": {"proxy": {}}}),
    ("providers", PROVIDER | {"base_url": " http://a.example"}),
    ("providers", PROVIDER | {"timeout": {"total": "1e400"}}),
    ("providers", PROVIDER | {"timeout": {"total": "0s"}}),
    ("models", MODEL | {"context_window": HUGE}),
    ("models", MODEL | {"max_output_tokens": HUGE}),
    ("models", MODEL | {"capabilities": [NUL]}),
    ("models", MODEL | {"capabilities": [HALF]}),
    ("models", MODEL | {"strategy": NUL}),
    ("models", MODEL | {"price": {"input": HUGE}}),
    ("models", MODEL | {"price": {"input": "1e9999999"}}),
    ("aliases", {"name": "a", "rules": [{"use": "chat", "when": {"task": NUL}}]}),
    ("aliases", {"name": "a", "rules": [{"use": "chat", "when": {"task": HALF}}]}),
    ("aliases", {"name": "a", "rules": [{"use": "chat", "when": {"context_tokens": {"gt": HUGE}}}]}),
    ("aliases", {"name": "a", "rules": [{"use": "chat", "when": {NUL: 1}}]}),
    ("aliases", {"name": "a", "rules": [{"use": "chat", "when": {"max_latency_ms": float("nan")}}]}),
    ("aliases", {"name": "a", "rules": [{"use": "chat", "when": {"max_latency_ms": float("inf")}}]}),
    ("configuration/plan", {"tenants": [TENANT | {"region": NUL}]}),
    ("configuration/apply", {"tenants": [TENANT | {"max_tokens_per_request": HUGE}]}),
]


@pytest.mark.parametrize(
    ("path", "body"), BODIES, ids=lambda value: str(value)[:60].encode("ascii", "replace").decode()
)
async def test_a_body_that_cannot_be_meant_is_refused(owner: Client, path: str, body: dict[str, Any]) -> None:
    await _is_refused(owner, "POST", f"/api/v1/{path}", json.dumps(body).encode())


ODD = ["%00", "a%00b", "%ED%A0%80", "%FF", "..", "%2e%2e%2f", "x" * 3000, "'; DROP TABLE keys; --", "%F0%9F%92%A5"]


NOUNS = [
    "tenants",
    "departments",
    "applications",
    "users",
    "keys",
    "limits",
    "budgets",
    "providers",
    "models",
    "prices",
]


@pytest.mark.parametrize("noun", [*NOUNS, "aliases", "calls"])
async def test_a_name_that_cannot_be_is_not_found(owner: Client, noun: str) -> None:
    tenant = "?tenant=acme" if noun in {"departments", "applications", "users", "keys", "limits", "budgets"} else ""
    for name in ODD:
        await _is_refused(owner, "GET", f"/api/v1/{noun}/{name}{tenant}")


def _cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode("|".join(parts).encode()).decode().rstrip("=")


SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
CURSORS = [
    "",
    "x",
    "%00",
    "%FF%FF",
    "a" * 400,
    "é",
    _cursor("a"),
    _cursor("2026-11-02", SOME_ID, "x"),
    _cursor("2026-11-02", SOME_ID, "٣"),
    _cursor("2026-11-02T00:00:00+00:00", SOME_ID, "9" * 18 + "9"),
    _cursor("2026-11-02T00:00:00+00:00", "x"),
    _cursor("0001-01-01T00:00:00+14:00", SOME_ID),
    _cursor("9999-12-31T23:59:59-14:00", SOME_ID, "1"),
    _cursor("2026-11-02T00:00:00+00:00", SOME_ID + "\x00"),
]


@pytest.mark.parametrize("noun", ["tenants", "keys", "calls", "events"])
async def test_a_cursor_that_was_never_given_out_is_refused(owner: Client, noun: str) -> None:
    for cursor in CURSORS:
        await _is_refused(owner, "GET", f"/api/v1/{noun}?cursor={cursor}")


PERIODS = [
    "from=x",
    "from=2026-02-30",
    "to=9999-12-31",
    "from=0001-01-01T00:00:00%2B14:00",
    "to=9999-12-31T23:59:59-14:00",
    "from=%00",
    "from=2026-11-02T25:00:00Z",
    "to=",
    "from=10000-01-01",
    "from=2026-11-02T00:00:00%2B99:99",
]


@pytest.mark.parametrize("noun", ["calls", "events", "events/export", "spend"])
async def test_a_period_that_cannot_be_is_refused(owner: Client, noun: str) -> None:
    for period in PERIODS:
        await _is_refused(owner, "GET", f"/api/v1/{noun}?{period}")


FILTERS = [
    "calls?tenant=acme&application=%00",
    "calls?tenant=acme&user=%ED%A0%80",
    "calls?model=%00",
    "calls?status=unknown",
    "calls?limit=0",
    "calls?limit=501",
    "calls?limit=1e3",
    f"calls?limit={HUGE}",
    "events?type=%00",
    "events/export?type=%00",
    "spend?group_by=nothing",
    "tenants?limit=-1",
    "keys?tenant=%00",
    "keys?tenant=",
]


@pytest.mark.parametrize("address", FILTERS)
async def test_a_filter_that_cannot_be_is_refused(owner: Client, address: str) -> None:
    await _is_refused(owner, "GET", f"/api/v1/{address}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"name": "a"} x',
        b'{"name": NaN}',
        b'{"name": "' + b"\xff" + b'"}',
        b'{"name": 1' + b"0" * 5000 + b"}",
        b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"name": "a", "name": "b"}' * 2,
    ],
    ids=range(12),
)
async def test_a_body_that_is_no_object_is_refused(owner: Client, body: bytes) -> None:
    for path in ("tenants", "configuration/plan", "keys?tenant=acme", "departments?tenant=acme"):
        await _is_refused(owner, "POST", f"/api/v1/{path}", body)


@pytest.mark.parametrize("tag", ["", "1", '"', '"x"', '"99999999999999999999"', '"1", "2"', "W/1", '"-1"'])
async def test_a_tag_that_was_never_given_out_changes_nothing(owner: Client, tag: str) -> None:
    reply = await owner.delete("/api/v1/applications/copilot?tenant=acme", headers={"if-match": tag})
    assert reply.status_code == 412, reply.text
    assert reply.json()["code"] == "version_mismatch"


async def test_a_body_beyond_the_bound_is_refused_before_it_comes(shared: House) -> None:
    reader, writer = await asyncio.open_connection(shared.host, shared.port)
    head = f"POST /api/v1/tenants HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OWNER_KEY}\r\ncontent-length: 8000001\r\n\r\n"
    writer.write(head.encode())
    reply = await reader.readuntil(b"}")
    writer.close()
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in reply


async def _is_refused(client: Client, method: str, address: str, body: bytes | None = None) -> None:
    headers = {"content-type": "application/json"} if body is not None else {}
    reply = await client.request(method, address, content=body, headers=headers)
    assert 400 <= reply.status_code < 500, f"{method} {address}: {reply.status_code} {reply.text}"
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == reply.status_code
    assert problem["code"]
    assert problem["detail"]
