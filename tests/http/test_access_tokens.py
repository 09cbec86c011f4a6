"""Access tokens of declared issuers on the data plane and the admin API, and everything that is no such token."""

import base64
import hashlib
import hmac
import json
import string
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.support.issuer import b64, compact, jwk_of, key_of, sign
from tests.support.postgres import TestServer
from tests.support.sign_in import Place, open_place
from tests.support.world import world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(server: TestServer) -> AsyncIterator[Place]:
    async with server.database() as database, open_place(database) as place:
        yield place


@pytest_asyncio.fixture(loop_scope="module")
async def place(opened: Place) -> AsyncIterator[Place]:
    """The one place, as it was at first."""
    issuer = opened.issuer
    yield opened
    if (issuer.kid, issuer.published, issuer.status) != ("key-1", None, {}):
        issuer.kid, issuer.kind, issuer.algorithm, issuer.which = "key-1", "RSA", "RS256", 0
        issuer.published = None
        issuer.status.clear()
        opened.clock.advance(1000)
    if opened.is_changed:
        await opened.declare()
        opened.is_changed = False


async def test_a_token_calls_for_its_person(place: Place) -> None:
    token = place.issuer.token()
    assert (await place.call(token)).status_code == 200
    asked = len(place.issuer.asked)
    assert (await place.call(token)).status_code == 200
    assert len(place.issuer.asked) == asked
    calls = (await place.house.admin().get("/api/v1/calls", params={"tenant": "acme"})).json()["items"]
    ana = (await place.house.admin().get("/api/v1/users/ana@acme.example", params={"tenant": "acme"})).json()
    assert calls[0]["user"] in {ana["id"], "ana@acme.example"}
    assert calls[0]["key"] is None


@pytest.mark.parametrize(("kind", "algorithm"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256"), ("OKP", "EdDSA")])
async def test_signatures_of_every_kind(place: Place, kind: str, algorithm: str) -> None:
    await place.declare(algorithms=[algorithm])
    place.issuer.kind, place.issuer.algorithm, place.issuer.kid = kind, algorithm, f"of-{algorithm}"
    place.clock.advance(1000)
    assert (await place.call(place.issuer.token())).status_code == 200
    place.issuer.kind, place.issuer.algorithm = "EC", "ES256"
    if kind != "EC":
        assert (await place.call(place.issuer.token())).status_code == 401


def _forged(place: Place, **header: Any) -> str:
    """Signed by somebody else."""
    issuer = place.issuer
    now = int(issuer.now_s())
    claims = {"iss": issuer.url, "aud": "enfilade-api", "exp": now + 60} | issuer.person
    head = {"alg": "RS256", "kid": "key-1", "typ": "at+jwt"} | header
    return compact(head, claims, lambda data: sign(key_of("RSA", 9), data, "RS256"))


def _none(place: Place, algorithm: str, signature: str) -> str:
    head, body, _ = place.issuer.token().split(".")
    head = b64(json.dumps({"alg": algorithm, "kid": "key-1", "typ": "at+jwt"}).encode())
    return f"{head}.{body}.{signature}"


def _hmac(place: Place, secret: bytes) -> str:
    now = int(place.issuer.now_s())
    claims = {"iss": place.issuer.url, "aud": "enfilade-api", "exp": now + 60} | place.issuer.person
    return compact({"alg": "HS256", "kid": "key-1"}, claims, lambda data: hmac.digest(secret, data, "sha256"))


def _public(place: Place) -> bytes:
    return json.dumps(jwk_of(place.issuer.key, "key-1")).encode()


def _altered(place: Place) -> str:
    head, body, signature = place.issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{b64(json.dumps(claims | {'sub': 'ben-1'}).encode())}.{signature}"


def _deep(place: Place) -> str:
    head, _, signature = place.issuer.token().split(".")
    nested = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    return f"{head}.{b64(nested)}.{signature}"


def _spelled_otherwise(token: str) -> str:
    """The last letter has bits that mean nothing."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    other = token[:-1] + letters[letters.index(token[-1]) ^ 1]
    signatures = [base64.urlsafe_b64decode(text.rpartition(".")[2] + "==") for text in (token, other)]
    assert signatures[0] == signatures[1]
    return other


def _soon(place: Place, seconds: float) -> float:
    return place.issuer.now_s() + seconds


REFUSED: dict[str, Callable[[Place], str]] = {
    "none": lambda p: _none(p, "none", "AA"),
    "none in capitals": lambda p: _none(p, "NONE", "AA"),
    "none without a signature": lambda p: _none(p, "none", ""),
    "no algorithm that there is": lambda p: _none(p, "RS256\u0000", "AA"),
    "hs256 by the public key": lambda p: _hmac(p, _public(p)),
    "hs256 by the modulus": lambda p: _hmac(p, jwk_of(p.issuer.key, "key-1")["n"].encode()),
    "an algorithm that was not declared": lambda p: p.issuer.token({"alg": "RS512"}),
    "another kind of signature": lambda p: p.issuer.token({"alg": "ES256"}),
    "another's key": _forged,
    "a key in the header": lambda p: _forged(p, jwk=jwk_of(key_of("RSA", 9), "key-1")),
    "a key set by address": lambda p: _forged(p, jku=f"{p.issuer.url}/stolen"),
    "a certificate by address": lambda p: _forged(p, x5u=f"{p.issuer.url}/stolen", x5c=["AAAA"]),
    "a kid that is a path": lambda p: p.issuer.token({"kid": "../../../../dev/null"}),
    "a kid that is SQL": lambda p: p.issuer.token({"kid": "key-1' OR '1'='1"}),
    "a kid that is an address": lambda p: p.issuer.token({"kid": f"{p.issuer.url}/stolen"}),
    "a kid without end": lambda p: p.issuer.token({"kid": "k" * 5000}),
    "a kid that is no text": lambda p: p.issuer.token({"kid": ["key-1"]}),
    "a critical extension": lambda p: p.issuer.token({"crit": ["exp"], "exp": 1}),
    "no critical extensions": lambda p: p.issuer.token({"crit": []}),
    "another type": lambda p: p.issuer.token({"typ": "logout+jwt"}),
    "an id token": lambda p: p.issuer.token({"typ": "JWT"}, nonce="n", aud="enfilade-api"),
    "an id token by its hash": lambda p: p.issuer.token({"typ": None}, at_hash="n"),
    "another issuer": lambda p: p.issuer.token(iss="https://evil.example"),
    "an issuer with a slash more": lambda p: p.issuer.token(iss=p.issuer.url + "/"),
    "no issuer": lambda p: p.issuer.token(iss=None),
    "an issuer that is no text": lambda p: p.issuer.token(iss=[p.issuer.url]),
    "another audience": lambda p: p.issuer.token(aud="somebody-else"),
    "no audience": lambda p: p.issuer.token(aud=None),
    "an audience that is no text": lambda p: p.issuer.token(aud={"enfilade-api": True}),
    "too many audiences": lambda p: p.issuer.token(aud=["enfilade-api"] * 500),
    "expired": lambda p: p.issuer.token(exp=_soon(p, -31)),
    "no end": lambda p: p.issuer.token(exp=None),
    "an end that is text": lambda p: p.issuer.token(exp="tomorrow"),
    "an end that is true": lambda p: p.issuer.token(exp=True),
    "an end beyond all clocks": lambda p: p.issuer.token(exp=1e308),
    "an end of four hundred digits": lambda p: p.issuer.token(exp=10**400),
    "a beginning of four hundred digits": lambda p: p.issuer.token(nbf=-(10**400)),
    "not yet": lambda p: p.issuer.token(nbf=_soon(p, 31)),
    "made in the future": lambda p: p.issuer.token(iat=_soon(p, 31)),
    "nobody": lambda p: p.issuer.token(sub=None),
    "a subject without end": lambda p: p.issuer.token(sub="s" * 300),
    "a stranger without a verified address": lambda p: p.issuer.token(sub="x", email_verified=None),
    "a stranger whose address is not theirs": lambda p: p.issuer.token(sub="x", email_verified=False),
    "a stranger of another domain": lambda p: p.issuer.token(sub="x", email="ana@evil.example"),
    "claims that were altered": _altered,
    "nested without end": _deep,
    "a huge claim": lambda p: p.issuer.token(junk="j" * 20_000),
    "padding": lambda p: p.issuer.token() + "=",
    "another spelling of the signature": lambda p: _spelled_otherwise(p.issuer.token()),
    "other letters": lambda p: p.issuer.token().replace(".", ".!", 1),
    "four parts": lambda p: p.issuer.token() + ".AAAA",
    "an empty part": lambda p: p.issuer.token().rpartition(".")[0] + ".",
    "no JSON": lambda p: f"{b64(b'{' + b'x' * 9)}.{b64(b'{}')}.AAAA",
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_token_is_refused(place: Place, case: str) -> None:
    good = await place.call(place.issuer.token())
    assert good.status_code == 200
    reply = await place.call(REFUSED[case](place))
    assert reply.status_code == 401, reply.text
    error = reply.json()["error"]
    assert error["code"] in {"invalid_token", "invalid_key"}
    assert "/stolen" not in place.issuer.asked
    if error["code"] == "invalid_token":
        # One answer for all: nothing is told about issuers, tenants or people.
        assert error["message"].startswith("The token is not accepted here.")


@pytest.mark.parametrize(("seconds", "status"), [(-29, 200), (-31, 401)])
async def test_clocks_may_differ_a_little(place: Place, seconds: float, status: int) -> None:
    assert (await place.call(place.issuer.token(exp=_soon(place, seconds)))).status_code == status


async def test_a_token_ends_although_it_is_remembered(place: Place) -> None:
    token = place.issuer.token(exp=_soon(place, 100))
    assert (await place.call(token)).status_code == 200
    place.clock.advance(131)
    assert (await place.call(token)).status_code == 401


async def test_new_keys_are_found_and_old_ones_forgotten(place: Place) -> None:
    old = place.issuer.token(exp=_soon(place, 5000))
    assert (await place.call(old)).status_code == 200
    place.clock.advance(31)
    place.issuer.kid, place.issuer.which = "key-2", 1
    assert (await place.call(place.issuer.token())).status_code == 200
    # What a withdrawn key signed ends with the next look at the key set, although it is remembered.
    place.clock.advance(901)
    renewed = place.house.parts.sign_in.tokens
    await renewed.look_at_keys()
    assert (await place.call(old)).status_code == 401


async def test_made_up_names_of_keys_do_not_make_us_ask(place: Place) -> None:
    assert (await place.call(place.issuer.token())).status_code == 200
    place.clock.advance(31)
    before = place.issuer.count("/keys")
    for number in range(30):
        assert (await place.call(place.issuer.token({"kid": f"made-up-{number}"}))).status_code == 401
    assert place.issuer.count("/keys") - before <= 1


async def test_the_last_good_keys_serve_while_the_issuer_is_away(place: Place) -> None:
    assert (await place.call(place.issuer.token())).status_code == 200
    place.issuer.status["/keys"] = 500
    place.clock.advance(1000)
    assert (await place.call(place.issuer.token())).status_code == 200
    failed = place.issuer.count("/keys")
    assert (await place.call(place.issuer.token(jti="another"))).status_code == 200
    assert place.issuer.count("/keys") == failed
    place.clock.advance(90_000)
    reply = await place.call(place.issuer.token())
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "issuer_unavailable")


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(lambda key: [key | {"use": "enc"}], id="for encryption"),
        pytest.param(lambda key: [key | {"key_ops": ["encrypt"]}], id="for other work"),
        pytest.param(lambda key: [key | {"alg": "RS512"}], id="for another algorithm"),
        pytest.param(lambda key: [key | {"d": "AQAB"}], id="a private key"),
        pytest.param(lambda key: [key | {"n": key["n"][:170]}], id="a short key"),
        pytest.param(lambda key: [{"kty": "oct", "k": key["n"], "kid": "key-1"}], id="a shared secret"),
        pytest.param(lambda key: [key] * 101, id="too many"),
        pytest.param(lambda key: ["key"], id="no keys"),
    ],
)
async def test_keys_that_are_not_for_this_are_not_used(place: Place, keys: Callable[[Any], Any]) -> None:
    place.issuer.published = keys(jwk_of(place.issuer.key, "key-1"))
    place.clock.advance(100_000)
    assert (await place.call(place.issuer.token())).status_code in {401, 503}


async def test_rights_come_from_the_directory_and_from_the_tokens_groups(place: Place) -> None:
    def listing(token: str) -> Any:
        return place.house.client(token).get("/api/v1/keys")

    staff, admin = place.issuer.token(), place.issuer.token(groups=["staff", "admins", "unknown"])
    assert ((await listing(staff)).status_code, (await listing(admin)).status_code) == (403, 200)
    await place.declare(roles={"staff": ["admin"]})
    assert ((await listing(staff)).status_code, (await listing(admin)).status_code) == (200, 200)
    await place.declare(roles={})
    assert ((await listing(staff)).status_code, (await listing(admin)).status_code) == (403, 403)
    who = (await place.house.client(staff).get("/api/v1/whoami")).json()
    assert (who["tenant"], who["user"]) == ("acme", "ana@acme.example")


async def test_a_removed_person_and_a_removed_issuer_are_out_at_once(place: Place) -> None:
    token = place.issuer.token(sub="eve-1", email="eve@acme.example")
    assert (await place.call(token)).status_code == 200
    owner = place.house.admin()
    removed = await owner.delete("/api/v1/users/eve@acme.example", params={"tenant": "acme"})
    assert removed.status_code == 204
    await place.declare(create_users=False)
    assert (await place.call(token)).status_code == 401
    place.is_changed = True
    ana = place.issuer.token()
    assert (await place.call(ana)).status_code == 200
    assert (await owner.delete("/api/v1/issuers/login", params={"tenant": "acme"})).status_code == 204
    assert (await place.call(ana)).status_code == 401


async def test_an_address_that_changed_hands_is_not_its_former_owner(place: Place) -> None:
    assert (await place.call(place.issuer.token())).status_code == 200
    assert (await place.call(place.issuer.token(sub="ana-2"))).status_code == 401


async def test_people_become_users_where_the_tenant_says_so(place: Place) -> None:
    token = place.issuer.token(sub="zoe-1", email="Zoe@Acme.example", name="Zoe")
    await place.declare(create_users=False)
    assert (await place.call(token)).status_code == 401
    await place.declare()
    assert (await place.call(token)).status_code == 200
    zoe = await place.house.admin().get("/api/v1/users/zoe@acme.example", params={"tenant": "acme"})
    assert (zoe.json()["source"], zoe.json()["roles"], zoe.json()["display_name"]) == ("oidc:login", [], "Zoe")


async def test_a_token_may_stand_for_an_application(place: Place) -> None:
    claims = {"application": "azp"}
    await place.declare(claims=claims, applications={"client-7": "copilot"})
    assert (await place.call(place.issuer.token(sub="client-7", azp="client-7"))).status_code == 200
    who = (await place.house.client(place.issuer.token(azp="review")).get("/api/v1/whoami")).json()
    assert (who["application"], who["permissions"]) == ("review", [])
    assert (await place.call(place.issuer.token(azp="no-such-application"))).status_code == 401


async def test_tenants_with_one_issuer_are_told_apart(place: Place) -> None:
    document = world()
    acme, globex = document["tenants"]
    part = {"name": "login", "url": place.issuer.url, "allow_private_network": True, "create_users": True}
    acme["issuers"] = [part | {"audiences": ["api"], "required_claims": {"tid": "a"}}]
    globex["issuers"] = [part | {"audiences": ["api"], "required_claims": {"tid": "g"}}]
    place.is_changed = True
    await place.house.apply(document)

    async def tenant_of(**claims: Any) -> Any:
        reply = await place.house.client(place.issuer.token(aud="api", **claims)).get("/api/v1/whoami")
        return reply.json().get("tenant", reply.status_code)

    assert await tenant_of(tid="a") == "acme"
    assert await tenant_of(tid="g", sub="gil-1", email="gil@globex.example") == "globex"
    assert await tenant_of(tid="x") == 401


async def test_a_token_with_the_audiences_of_two_tenants_is_nobodys(place: Place) -> None:
    document = world()
    acme, globex = document["tenants"]
    part = {"name": "login", "url": place.issuer.url, "allow_private_network": True, "create_users": True}
    # Every token of the realm says `account` too: whoever declares it first must not get what is meant for another.
    acme["issuers"] = [part | {"audiences": ["account"]}]
    globex["issuers"] = [part | {"audiences": ["api"]}]
    place.is_changed = True
    await place.house.apply(document)
    gil = {"sub": "gil-1", "email": "gil@globex.example"}
    for claims, status in (
        ({"aud": ["api", "account"]} | gil, 401),
        ({"aud": ["api"]} | gil, 200),
        ({"aud": ["account"]}, 200),
    ):
        reply = await place.house.client(place.issuer.token(**claims)).get("/api/v1/whoami")
        assert reply.status_code == status, (claims, reply.text)


@pytest.mark.parametrize("claims", [{}, {"tid": "a"}])
async def test_declarations_that_cannot_be_told_apart_are_refused(place: Place, claims: dict[str, str]) -> None:
    body: dict[str, Any] = {
        "name": "theirs",
        "url": place.issuer.url,
        "audiences": ["enfilade-api", "more"],
        "required_claims": claims,
    }
    body["allow_private_network"] = True
    reply = await place.house.admin().post("/api/v1/issuers", json=body, params={"tenant": "globex"})
    assert (reply.status_code, reply.json()["code"]) == (409, "issuer_ambiguous")
    assert "acme" not in reply.text
    document = world()
    document["tenants"][0]["issuers"] = [body | {"name": "one"}]
    document["tenants"][1]["issuers"] = [body]
    planned = await place.house.admin().post("/api/v1/configuration/plan", json=document)
    assert planned.status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://x.example"},
        {"url": "https://user@x.example"},
        {"url": "https://x.example?y"},
        {"url": "http://x.example", "allow_private_network": False},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"audiences": [], "client_id": None},
        {"clock_skew_s": 121},
        {"trust_email": True, "email_domains": []},
        {"scopes": ["email"]},
        {"roles": {"staff": ["emperor"]}},
        {"email_domains": ["@acme.example"]},
        {"name": "Not A Name"},
    ],
    ids=str,
)
async def test_declarations_that_make_no_sense_are_refused(place: Place, changes: dict[str, Any]) -> None:
    body = {"name": "odd", "url": "https://x.example", "audiences": ["a"], "client_id": "c"} | changes
    reply = await place.house.admin().post("/api/v1/issuers", json=body, params={"tenant": "acme"})
    assert reply.status_code == 422, reply.text


async def test_a_test_of_an_issuer_tells_what_is_wrong(place: Place) -> None:
    owner = place.house.admin()
    good = (await owner.post("/api/v1/issuers/login/test", params={"tenant": "acme"})).json()
    assert good["reachable"]
    assert (good["keys"], good["can_sign_in"], good["fault"]) == (1, True, None)
    place.issuer.metadata["issuer"] = "https://somebody-else.example"
    try:
        bad = (await owner.post("/api/v1/issuers/login/test", params={"tenant": "acme"})).json()
    finally:
        place.issuer.metadata.clear()
    assert not bad["reachable"]
    assert "somebody-else" in bad["fault"]


async def test_client_secrets_are_shown_to_nobody(place: Place) -> None:
    owner = place.house.admin()
    shown = await owner.get("/api/v1/issuers/login", params={"tenant": "acme"})
    assert shown.json()["has_client_secret"] is True
    exported = await owner.get("/api/v1/configuration")
    assert "a-client-secret" not in shown.text + exported.text + place.house.log_lines()
    assert place.issuer.url in exported.text
    statement = "SELECT client_secret, secret_print FROM issuers WHERE tenant_id = $1"
    async with place.house.unit() as unit:
        row = await unit.fetch_row(statement, place.house.tenant_id("acme"))
    assert row is not None
    for kept in row.values():
        assert b"a-client-secret" not in bytes(kept)
        assert hashlib.sha256(b"a-client-secret").digest() not in bytes(kept)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with place.house.unit(place.house.tenant_id("acme")) as unit:
            await unit.fetch(statement, unit.tenant)
