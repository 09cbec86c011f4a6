"""Who we are to Google: plain keys, documents that are exchanged for tokens, and the machine's own account."""

import asyncio
import base64
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from enfilade.providers.authorities import google
from enfilade.providers.authorities.renewal import Loan
from enfilade.providers.authority import Headers
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.errors import (
    AddressForbidden,
    CredentialMissing,
    CredentialsRefused,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    UnreadableResponse,
)
from enfilade.providers.types import Incoming, SecretReference
from tests.support.google_tokens import (
    EMAIL,
    external_account,
    form,
    part,
    pem,
    private_key,
    service_account,
    token,
    vertex,
)
from tests.support.outbound import Outbound
from tests.support.stand_in import outgoing
from tests.support.token_needs import needs_of, shown
from tests.support.upstream import Seen, Wire, hang_up, open_upstream, reply, silence
from tests.support.waiting import eventually


async def test_a_plain_key_is_shown_as_such(outbound: Outbound) -> None:
    assert await shown(google.authority(needs_of(outbound, "vertex", "AIza-key"))) == {"x-goog-api-key": "AIza-key"}


async def test_a_service_account_signs_for_its_token(outbound: Outbound) -> None:
    async with open_upstream(token()) as upstream:
        document = service_account(upstream)
        assert await shown(vertex(outbound, document)) == {"authorization": "Bearer ya29.first"}
        seen = await upstream.was_asked()
        assert (seen.method, seen.path) == ("POST", "/token")
        sent = form(seen)
        assert sent.keys() == {"grant_type", "assertion"}
        assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        head, claims, signature = sent["assertion"].split(".")
        assert part(head) == {"alg": "RS256", "typ": "JWT", "kid": "key-7"}
        now = outbound.clock.now_ns() // 10**9
        assert part(claims) == {
            "iss": EMAIL,
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": json.loads(document)["token_uri"],
            "iat": now,
            "exp": now + 3600,
        }
        private_key().public_key().verify(
            base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)),
            f"{head}.{claims}".encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
        assert "=" not in sent["assertion"]


async def test_a_token_is_kept_and_renewed_ahead_of_its_end(outbound: Outbound) -> None:
    async with open_upstream(token("t1", 3600), token("t2", 3600)) as upstream:
        authority = vertex(outbound, service_account(upstream))
        for _ in range(3):
            assert await shown(authority) == {"authorization": "Bearer t1"}
        outbound.pass_time(3200)
        assert await shown(authority) == {"authorization": "Bearer t1"}
        assert len(upstream.seen) == 1
        outbound.pass_time(150)
        assert await shown(authority) == {"authorization": "Bearer t2"}
        assert len(upstream.seen) == 2
        assert part(form(upstream.seen[1])["assertion"].split(".")[1])["iat"] == outbound.clock.now_ns() // 10**9


async def test_one_renews_while_the_others_go_on_with_the_old_token(outbound: Outbound) -> None:
    gate = asyncio.Event()

    async def late(seen: Seen, wire: Wire) -> None:
        await gate.wait()
        await token("t2")(seen, wire)

    async with open_upstream(token("t1", 3600), late) as upstream:
        authority = vertex(outbound, service_account(upstream))
        await shown(authority)
        outbound.pass_time(3400)
        renewing = asyncio.ensure_future(shown(authority))
        await upstream.was_asked(2)
        for _ in range(5):
            assert await shown(authority) == {"authorization": "Bearer t1"}
        gate.set()
        assert await renewing == {"authorization": "Bearer t2"}
        assert await shown(authority) == {"authorization": "Bearer t2"}
        assert len(upstream.seen) == 2


async def test_many_first_calls_ask_once(outbound: Outbound) -> None:
    async with open_upstream(token()) as upstream:
        authority = vertex(outbound, service_account(upstream))
        answers = await asyncio.gather(*(shown(authority) for _ in range(20)))
        assert all(answer == {"authorization": "Bearer ya29.first"} for answer in answers)
        assert len(upstream.seen) == 1


async def test_a_caller_that_leaves_does_not_take_the_token_along(outbound: Outbound) -> None:
    gate = asyncio.Event()

    async def late(seen: Seen, wire: Wire) -> None:
        await gate.wait()
        await token("t1")(seen, wire)

    async with open_upstream(late, token("t1")) as upstream:
        authority = vertex(outbound, service_account(upstream))
        first, second = asyncio.ensure_future(shown(authority)), asyncio.ensure_future(shown(authority))
        await upstream.was_asked()
        first.cancel()
        gate.set()
        assert await second == {"authorization": "Bearer t1"}


async def test_a_refused_token_is_replaced_but_not_again_and_again(outbound: Outbound) -> None:
    async with open_upstream(token("t1"), token("t2"), token("t3")) as upstream:
        authority = vertex(outbound, service_account(upstream))
        await shown(authority)
        outbound.pass_time(60)
        authority.refused()
        assert await shown(authority) == {"authorization": "Bearer t2"}
        authority.refused()  # Another call's refusal of the old token, come late.
        assert await shown(authority) == {"authorization": "Bearer t2"}
        outbound.pass_time(60)
        authority.refused()
        assert await shown(authority) == {"authorization": "Bearer t3"}


async def test_after_a_failure_the_service_is_left_alone_for_a_while(outbound: Outbound) -> None:
    async with open_upstream(reply(b"no", 503), reply(b"no", 503), token("t1")) as upstream:
        authority = vertex(outbound, service_account(upstream))
        for _ in range(3):
            with pytest.raises(ProviderOverloaded):
                await shown(authority)
        assert len(upstream.seen) == 1
        outbound.pass_time(1.1)
        for _ in range(2):
            with pytest.raises(ProviderOverloaded):
                await shown(authority)
        assert len(upstream.seen) == 2
        outbound.pass_time(1.1)
        with pytest.raises(ProviderOverloaded):
            await shown(authority)
        assert len(upstream.seen) == 2
        outbound.pass_time(1)
        assert await shown(authority) == {"authorization": "Bearer t1"}


async def test_a_renewal_that_fails_leaves_the_old_token_in_use_until_its_end(outbound: Outbound) -> None:
    async with open_upstream(token("t1", 3600), reply({"error": "invalid_grant"}, 400)) as upstream:
        authority = vertex(outbound, service_account(upstream))
        await shown(authority)
        outbound.pass_time(3400)
        for _ in range(3):
            assert await shown(authority) == {"authorization": "Bearer t1"}
        assert len(upstream.seen) == 2
        outbound.pass_time(201)
        with pytest.raises(CredentialsRefused):
            await shown(authority)


async def test_a_refusal_says_its_code_and_no_secret(outbound: Outbound) -> None:
    said = {"error": "invalid_grant", "error_description": f"Invalid JWT signature for {EMAIL}"}
    async with open_upstream(reply(said, 400)) as upstream:
        with pytest.raises(CredentialsRefused) as failure:
            await shown(vertex(outbound, service_account(upstream)))
    assert "invalid_grant" in failure.value.message
    assert "clock" in failure.value.message
    assert EMAIL not in failure.value.message
    assert not failure.value.may_have_cost


@pytest.mark.parametrize("step", [hang_up, silence, reply(b"<html>", 200), reply([1]), reply({"expires_in": 5})])
async def test_a_service_that_answers_nothing_of_use_is_a_fault_that_cost_nothing(
    outbound: Outbound, step: Any
) -> None:
    async with open_upstream(step) as upstream:
        asking = asyncio.ensure_future(shown(vertex(outbound, service_account(upstream))))
        await upstream.was_asked()
        if step is silence:
            outbound.pass_time(30)
        with pytest.raises(ProviderFault) as failure:
            await asking
    assert failure.value.may_retry
    assert not failure.value.may_have_cost
    assert str(upstream.port) not in failure.value.message


@pytest.mark.parametrize("bad", ["a b", "a\r\nx: y", "schlüssel", ""])
async def test_a_token_that_no_header_can_carry_is_not_used(outbound: Outbound, bad: str) -> None:
    async with open_upstream(token(bad)) as upstream:
        with pytest.raises(ProviderFault):
            await shown(vertex(outbound, service_account(upstream)))


@pytest.mark.parametrize("seconds", [None, -5, 0])
async def test_a_token_of_unknown_life_is_not_kept_for_long(outbound: Outbound, seconds: int | None) -> None:
    async with open_upstream(token("t1", seconds), token("t2")) as upstream:
        authority = vertex(outbound, service_account(upstream))
        await shown(authority)
        outbound.pass_time(601)
        assert await shown(authority) == {"authorization": "Bearer t2"}


@pytest.mark.parametrize(
    "address",
    [
        "https://attacker.example/token",
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.attacker.example/token",
        "https://googleapis.com@attacker.example/token",
        "https://attackergoogleapis.com/token",
        "https://169.254.169.254/token",
        "https://oauth2.googleapis.com:8443/token",
        "file:///etc/passwd",
        "https://oauth2.googleapis.com\\@attacker.example/",
        "https://oauth2.googleapis.com/to ken",
        "https://oauth2.googleapis.com/\r\nhost: x",
        "https://[oauth2.googleapis.com/token",
        "",
    ],
)
@pytest.mark.parametrize("field", ["token_uri", "token_url", "service_account_impersonation_url"])
async def test_no_document_sends_us_to_an_address_that_is_not_googles(
    outbound: Outbound, field: str, address: str, tmp_path: Path
) -> None:
    (tmp_path / "t").write_text("subject")
    async with open_upstream(token()) as upstream:
        made = service_account(upstream) if field == "token_uri" else external_account(upstream, {"file": "t"})
        good = {"token_uri": "https://oauth2.googleapis.com/token", "token_url": "https://sts.googleapis.com/v1/token"}
        document = json.dumps(json.loads(made) | good | {field: address})
        authority = vertex(outbound, document, inside=False, directory=tmp_path)
        with pytest.raises(CredentialMissing):
            await shown(authority)
        assert not upstream.connections


async def test_an_address_of_googles_is_asked_only_where_it_is_public(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def inside(*_args: object, **_more: object) -> list[Any]:
        return [(2, 1, 6, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", inside, raising=False)
    async with open_upstream(token()) as upstream:
        document = service_account(upstream, token_uri="https://oauth2.googleapis.com/token")
        with pytest.raises(AddressForbidden) as failure:
            await shown(vertex(outbound, document, inside=False))
    assert "10.0.0.1" not in failure.value.message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"private_key": "no key"}, "private_key"),
        ({"private_key": 7}, "private_key"),
        ({"private_key": "elliptic"}, "RSA"),
        ({"type": "authorized_user"}, "service_account or external_account"),
        ({"client_email": None}, "client_email"),
    ],
)
async def test_a_document_that_does_not_fit_is_told_without_its_secrets(
    outbound: Outbound, changes: dict[str, Any], words: str
) -> None:
    if changes.get("private_key") == "elliptic":
        changes = {"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}
    async with open_upstream(token()) as upstream:
        with pytest.raises(CredentialMissing) as failure:
            await shown(vertex(outbound, service_account(upstream, **changes)))
        assert not upstream.seen
    assert words in failure.value.message
    assert "PRIVATE KEY" not in failure.value.message


@pytest.mark.parametrize("text", ["{", '{"type": ' + "[" * 5000, "{}"])
async def test_a_key_that_only_begins_as_a_document_is_told(outbound: Outbound, text: str) -> None:
    with pytest.raises(CredentialMissing, match="Google document"):
        await shown(vertex(outbound, text))


async def test_a_document_needs_a_project(outbound: Outbound) -> None:
    async with open_upstream(token()) as upstream:
        with pytest.raises(CredentialMissing, match="project"):
            await shown(google.authority(needs_of(outbound, "vertex", service_account(upstream))))


async def test_a_document_in_a_file_is_replaced_in_place(outbound: Outbound, tmp_path: Path) -> None:
    path = tmp_path / "sa.json"
    async with open_upstream(token("t1"), token("t2")) as upstream:
        path.write_text(service_account(upstream))
        needs = needs_of(outbound, "vertex", "x", directory=tmp_path, project="project-1")
        needs.key = Credential(SecretReference(file=str(path)), SecretSources({}, (), (tmp_path,)), outbound.clock)
        authority = google.authority(needs)
        assert await shown(authority) == {"authorization": "Bearer t1"}
        path.write_text(service_account(upstream, private_key_id="key-8"))
        outbound.pass_time(16)
        assert await shown(authority) == {"authorization": "Bearer t2"}
        assert part(form(upstream.seen[1])["assertion"].split(".")[0])["kid"] == "key-8"
        path.write_text("AIza-key")
        outbound.pass_time(16)
        assert await shown(authority) == {"x-goog-api-key": "AIza-key"}
        authority.refused()


async def test_the_machines_own_account_is_asked_for_beside_it(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_upstream(token("t1")) as upstream:
        monkeypatch.setattr(google, "METADATA_ADDRESS", f"http://127.0.0.1:{upstream.port}")
        authority = vertex(outbound, None, credentials="metadata", inside=False)
        assert await shown(authority) == {"authorization": "Bearer t1"}
        seen = await upstream.was_asked()
        assert (seen.method, seen.header("metadata-flavor")) == ("GET", "Google")
        assert seen.path == (
            "/computeMetadata/v1/instance/service-accounts/default/token"
            "?scopes=https://www.googleapis.com/auth/cloud-platform"
        )


@pytest.mark.parametrize(
    ("status", "error"), [(404, CredentialMissing), (403, CredentialsRefused), (500, ProviderFault)]
)
async def test_a_metadata_server_without_an_account_is_told(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, status: int, error: type[ProviderError]
) -> None:
    async with open_upstream(reply(b"not found", status)) as upstream:
        monkeypatch.setattr(google, "METADATA_ADDRESS", f"http://127.0.0.1:{upstream.port}")
        with pytest.raises(error):
            await shown(vertex(outbound, None, credentials="metadata"))


async def test_no_connection_to_a_token_service_is_kept(outbound: Outbound) -> None:
    async with open_upstream(token()) as upstream:
        await shown(vertex(outbound, service_account(upstream)))
        await eventually(lambda: outbound.client.open_connections() == 0)


async def test_a_proof_that_cannot_be_had_has_cost_nothing(outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors that leave it open elsewhere: here, nothing has gone to the provider."""
    async with open_upstream(reply({})) as upstream:
        provider = outbound.provider(upstream.url, kind="vertex")

        async def unreadable(_authority: object, _request: object) -> Headers:
            raise UnreadableResponse("What the token service said is no token.")

        monkeypatch.setattr(google.KeyOrDocument, "headers", unreadable)
        asked = outgoing("gemini_generate", "gemini-3-pro")
        with pytest.raises(ProviderFault, match="no token") as failure:
            await provider.send(asked)
        assert not failure.value.may_have_cost
        assert not asked.sent
        assert not upstream.connections


@pytest.mark.parametrize(("status", "dropped"), [(401, True), (429, False), (404, False)])
async def test_the_provider_decides_whether_a_token_still_serves(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, status: int, dropped: bool
) -> None:
    asked_for: list[str] = []

    async def fetch() -> Loan[bytes]:
        asked_for.append("token")
        return Loan(f"t{len(asked_for)}".encode(), 3600)

    monkeypatch.setattr(google, "_metadata_token", lambda _needs: fetch)
    async with open_upstream(reply({}), reply({"error": {"message": "no"}}, status), reply({})) as upstream:
        options = {"project": "p-1", "credentials": "metadata"}
        provider = outbound.provider(upstream.url, kind="vertex", key=None, options=options)

        def call() -> Awaitable[Incoming]:
            return provider.send(outgoing("gemini_generate", "gemini-3-pro"))

        await (await call()).read()
        outbound.pass_time(60)
        with pytest.raises(ProviderError):
            await call()
        await (await call()).read()
    shown_tokens = [seen.header("authorization") for seen in upstream.seen]
    assert shown_tokens == ["Bearer t1", "Bearer t1", "Bearer t2" if dropped else "Bearer t1"]
