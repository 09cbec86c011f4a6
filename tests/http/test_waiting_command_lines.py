"""Command lines that wait to be confirmed: with a code, on their own machine, at an issuer; and `enfilade login`."""

import asyncio
import hashlib
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio

from tests.support.issuer import b64
from tests.support.postgres import TestServer
from tests.support.sign_in import Place, open_place

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOOPBACK = "http://127.0.0.1:4711/"
VERIFIER = "v" * 43
CHALLENGE = b64(hashlib.sha256(VERIFIER.encode()).digest())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(server: TestServer) -> AsyncIterator[Place]:
    async with server.database() as database, open_place(database) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(place: Place) -> httpx2.AsyncClient:
    """Ana's."""
    made = place.browser()
    await place.sign_in(made)
    return made


async def _csrf(browser: httpx2.AsyncClient) -> str:
    return str((await browser.get("/api/v1/sessions/current")).json()["csrf"])


async def _answer(browser: httpx2.AsyncClient, code: str, answer: str) -> httpx2.Response:
    form = {"csrf": await _csrf(browser), "user_code": code, "answer": answer}
    reply: httpx2.Response = await browser.post("/auth/device", data=form)
    return reply


async def _poll(place: Place, code: str, path: str = "/auth/device/token") -> Any:
    reply = await place.browser().post(path, data={"device_code": code})
    return reply.json()


async def test_a_command_line_is_confirmed_once(place: Place, browser: httpx2.AsyncClient) -> None:
    begun = (await place.browser().post("/auth/device/code", headers={"user-agent": "a <b>cli</b>"})).json()
    assert (await _poll(place, begun["device_code"]))["code"] == "authorization_pending"
    assert (await _poll(place, begun["device_code"]))["code"] == "slow_down"
    shown = await browser.get("/auth/device", params={"user_code": begun["user_code"].lower()})
    assert "a &lt;b&gt;cli&lt;/b&gt;" in shown.text
    assert "ana@acme.example" in shown.text
    assert (await _answer(browser, begun["user_code"], "yes")).status_code == 200
    told = await _poll(place, begun["device_code"])
    current = (await place.house.client(told["access_token"]).get("/api/v1/sessions/current")).json()
    assert (current["user"], current["methods"]) == ("ana@acme.example", ["oidc", "device"])
    assert (await _poll(place, begun["device_code"]))["code"] == "expired_token"
    assert (await _answer(browser, begun["user_code"], "yes")).status_code == 400


async def test_a_command_line_is_refused(place: Place, browser: httpx2.AsyncClient) -> None:
    begun = (await place.browser().post("/auth/device/code")).json()
    assert (await _answer(browser, begun["user_code"], "no")).status_code == 200
    assert (await _poll(place, begun["device_code"]))["code"] == "device_denied"


async def test_a_confirmation_needs_a_form_of_ours_and_somebody_signed_in(
    place: Place, browser: httpx2.AsyncClient
) -> None:
    begun = (await place.browser().post("/auth/device/code")).json()
    form = {"user_code": begun["user_code"], "answer": "yes", "csrf": "0" * 64}
    assert (await browser.post("/auth/device", data=form)).status_code == 403
    nobody = await place.browser().post("/auth/device", data=form)
    assert nobody.headers["location"].startswith("/auth/sign-in?next=%2Fauth%2Fdevice")
    assert (await _poll(place, begun["device_code"]))["code"] == "authorization_pending"


async def test_a_code_is_too_old_after_ten_minutes(place: Place) -> None:
    begun = (await place.browser().post("/auth/device/code")).json()
    place.clock.advance(601)
    assert (await _poll(place, begun["device_code"]))["code"] == "expired_token"


async def test_codes_cannot_be_searched_for(place: Place) -> None:
    guesser = place.browser()
    await place.sign_in(guesser)
    statuses = [(await guesser.get("/auth/device", params={"user_code": "BCDFGHJK"})).status_code for _ in range(12)]
    assert statuses == [400] * 10 + [429] * 2
    place.clock.advance(601)
    assert (await guesser.get("/auth/device", params={"user_code": "BCDFGHJK"})).status_code == 400


async def test_whoever_confirmed_has_to_be_signed_in_still(place: Place) -> None:
    confirming = place.browser()
    token = await place.sign_in(confirming)
    begun = (await place.browser().post("/auth/device/code")).json()
    await _answer(confirming, begun["user_code"], "yes")
    session = (await place.house.client(token).get("/api/v1/sessions/current")).json()["id"]
    await place.house.client(token).delete(f"/api/v1/sessions/{session}")
    assert (await _poll(place, begun["device_code"]))["code"] == "expired_token"


async def _grant(browser: httpx2.AsyncClient, redirect_uri: str = LOOPBACK) -> httpx2.Response:
    form = {"csrf": await _csrf(browser), "redirect_uri": redirect_uri, "code_challenge": CHALLENGE, "state": "s"}
    reply: httpx2.Response = await browser.post("/auth/cli", data=form)
    return reply


@pytest.mark.parametrize(
    "wrong", [{"code_verifier": "w" * 43}, {"redirect_uri": "http://127.0.0.1:4712/"}, {"code": "made-up"}, {}], ids=str
)
async def test_a_code_is_redeemed_once_by_whoever_asked(
    place: Place, browser: httpx2.AsyncClient, wrong: dict[str, str]
) -> None:
    sent = await _grant(browser)
    query = parse_qs(urlsplit(sent.headers["location"]).query)
    form = {"code": query["code"][0], "code_verifier": VERIFIER, "redirect_uri": LOOPBACK}
    first = await place.browser().post("/auth/cli/token", data=form | wrong)
    assert (first.status_code == 200) == (not wrong)
    if "code" not in wrong:
        again = await place.browser().post("/auth/cli/token", data=form)
        assert (again.status_code, again.json()["code"]) == (400, "expired_token")


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "http://evil.example:80/",
        "http://localhost:4711/",
        "http://127.0.0.1/",
        "http://127.0.0.1:4711@evil.example/",
        "http://127.0.0.1:4711\\@evil.example/",
        "//127.0.0.1:4711/",
        "http://10.0.0.1:4711/",
        "http://127.0.0.1:4711/?x=1",
        "",
    ],
)
async def test_codes_are_sent_to_this_machine_only(browser: httpx2.AsyncClient, address: str) -> None:
    assert (await _grant(browser, address)).status_code == 400
    query = {"redirect_uri": address, "code_challenge": CHALLENGE, "state": "s"}
    assert (await browser.get("/auth/cli", params=query)).status_code in {400, 422}


async def test_an_issuer_may_confirm_by_itself(place: Place) -> None:
    asked = await place.browser().post("/auth/device/issuer/code", data={"tenant": "acme"})
    begun = asked.json()
    assert begun["verification_uri"] == f"{place.issuer.url}/activate"
    path = "/auth/device/issuer/token"
    assert (await _poll(place, begun["device_code"], path))["code"] == "authorization_pending"
    place.issuer.devices = dict.fromkeys(place.issuer.devices, "approved")
    place.clock.advance(2)
    token = (await _poll(place, begun["device_code"], path))["access_token"]
    assert (await place.house.client(token).get("/api/v1/whoami")).json()["user"] == "ana@acme.example"
    assert (await _poll(place, begun["device_code"], path))["code"] == "expired_token"
    unknown = await place.browser().post("/auth/device/issuer/code", data={"tenant": "nobody"})
    assert (unknown.status_code, unknown.json()["code"]) == (403, "sign_in_refused")


async def test_enfilade_login_whoami_and_logout(place: Place, browser: httpx2.AsyncClient, tmp_path: Path) -> None:
    kept = tmp_path / "deep" / "sessions.json"
    environment = {"ENFILADE_URL": place.house.url, "ENFILADE_SESSIONS_FILE": str(kept), "PATH": ""}

    async def run(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "enfilade", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )

    login = await run("login", "--no-browser")
    assert login.stderr is not None
    line = b""
    while b"/auth/cli?" not in line:
        line = await login.stderr.readline()
        assert line, "login ended before it showed an address"
    query = {name: values[0] for name, values in parse_qs(urlsplit(line.decode().strip()).query).items()}
    assert "asks to act as ana@acme.example" in (await browser.get("/auth/cli", params=query)).text
    sent = await browser.post("/auth/cli", data=query | {"csrf": await _csrf(browser)})
    async with httpx2.AsyncClient(trust_env=False) as outside:
        assert (await outside.get(sent.headers["location"])).status_code == 200
    _, said = await login.communicate()
    assert b"ana@acme.example of acme" in said
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    who, _ = await (await run("whoami", "--json")).communicate()
    assert b"ana@acme.example" in who
    out = await run("logout")
    await out.communicate()
    assert out.returncode == 0
    refused = await run("whoami")
    await refused.communicate()
    assert refused.returncode == 3
