"""Bad calls at the addresses of responses, of counting tokens, and of Gemini: a clear error in the caller's dialect."""

import json
from typing import Any

import httpx2
import pytest

from tests.support.data_plane import assert_nothing_held, record_of
from tests.support.house import House
from tests.support.rich_requests import GEMINI, MODELS, RESPONSES, RICH, places, replaced
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESPONSES_PATH, COUNT = "/v1/responses", "/v1/messages/count_tokens"
GENERATE, STREAM = f"{MODELS}:generateContent", f"{MODELS}:streamGenerateContent"
EMBED_PATH, COUNT_TOKENS = f"{MODELS}:embedContent", f"{MODELS}:countTokens"
PATHS = (RESPONSES_PATH, COUNT, GENERATE, STREAM, EMBED_PATH, COUNT_TOKENS)
BATCH = f"{MODELS}:batchEmbedContents"
GOOGLE = PATHS[2:]
paths = pytest.mark.parametrize("path", PATHS)
google_paths = pytest.mark.parametrize("path", GOOGLE)


def error_at(path: str, reply: httpx2.Response) -> tuple[str, str | None]:
    """Our code and the field at fault, from an error that has the form of the dialect at `path`."""
    assert reply.headers["content-type"] == "application/json", reply.text
    for inner in ("Traceback", ".py", "msgspec", "asyncpg"):
        assert inner not in reply.text
    content = json.loads(reply.content)
    error = content["error"]
    assert error["message"]
    if path.startswith("/v1beta/"):
        assert error["code"] == reply.status_code
        assert error["status"].isupper()
        details = {detail["@type"].rpartition(".")[2]: detail for detail in error["details"]}
        fields = details.get("BadRequest", {}).get("fieldViolations", [{}])
        return details["ErrorInfo"]["reason"], fields[0].get("field")
    assert (content.get("type") == "error") is (path == COUNT)
    return error["code"], error.get("param")


async def refused(house: House, path: str, body: bytes) -> tuple[str, str | None]:
    reply = await house.client().post(path, content=body)
    assert reply.status_code == 400, (body[:200], reply.text)
    return error_at(path, reply)


MALFORMED = (
    b"",
    b"Good morning",
    b'{"a": 1',
    b"{} {}",
    b"[]",
    b'"a"',
    b"null",
    b'{"a": NaN}',
    b'{"a": "\xff\xfe"}',
    b'{"a": "\xed\xa0\x80"}',
    b"\xef\xbb\xbf{}",
    b"\x1f\x8b\x08\x00\x00",
    b'{"a": 1, "a": 2}',
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
)


@paths
async def test_a_malformed_body_is_refused_and_recorded(house: House, path: str) -> None:
    reply = None
    for body in MALFORMED:
        reply = await house.client().post(path, content=body)
        assert (reply.status_code, error_at(path, reply)[0]) == (400, "malformed_body"), body[:50]
    assert reply is not None
    record = await record_of(house, reply.headers["x-request-id"])
    assert (record["status"], record["error"], record["http_status"]) == ("refused", "malformed_body", 400)
    await assert_nothing_held(house)


@paths
async def test_a_field_that_comes_twice_is_refused(house: House, path: str) -> None:
    body = json.dumps(RICH[path]).encode()
    for name in ("model", "tools", "x"):
        twice = body[:-1] + f', "{name}": 1, "{name}": 2}}'.encode()
        assert (await refused(house, path, twice))[0] == "malformed_body"


WRONG: dict[str, dict[str, list[Any]]] = {
    RESPONSES_PATH: {
        "model": [1, "", None, [], "a b", "x" * 201],
        "input": [1, None, {}, [], True],
        "stream": ["yes", 1],
        "max_output_tokens": [0, -1, 1.5, "10", 10**30],
        "previous_response_id": [1, []],
        "store": ["yes", 1],
        "conversation": [1, {"id": 5}],
    },
    COUNT: {"model": [1, "", None], "messages": [1, "hello", None, [], {}]},
    GENERATE: {
        "contents": [1, None, [], True, ""],
        "generationConfig": [1, "x", [], {"maxOutputTokens": 0}, {"maxOutputTokens": 10**30}, {"candidateCount": -1}],
        "serviceTier": [1],
    },
    EMBED_PATH: {"content": [1, None, []]},
    COUNT_TOKENS: {"contents": [1, True]},
}


@pytest.mark.parametrize("path", WRONG)
async def test_wrong_types_and_values_name_the_field(house: House, path: str) -> None:
    for name, values in WRONG[path].items():
        for value in values:
            code, field = await refused(house, path, json.dumps(RICH[path] | {name: value}).encode())
            assert code in {"wrong_type", "missing_field", "stored_response_not_found"}, (name, value)
            assert (field or "").split(".")[0].split("[")[0] == name, (name, value, field)
    await assert_nothing_held(house)


@paths
async def test_absurd_numbers_break_nothing(house: House, path: str) -> None:
    places_of = {RESPONSES_PATH: "max_output_tokens", GENERATE: "generationConfig", STREAM: "generationConfig"}
    body = {name: value for name, value in RICH[path].items() if name != places_of.get(path)}
    for number in ("1e400", "1" + "0" * 5_000, "-0", "01", "0x10", "1e-400"):
        named = f'{{"maxOutputTokens": {number}}}' if "Content" in path else number
        sent = json.dumps(body)[:-1] + f', "{places_of.get(path, "max_tokens")}": {named}}}'
        reply = await house.client().post(path, content=sent.encode())
        assert reply.status_code in {200, 400}, (number, reply.text)
        if reply.status_code == 400:
            assert error_at(path, reply)[0] in {"wrong_type", "malformed_body"}
    await assert_nothing_held(house)


ODD: tuple[Any, ...] = (None, 10**30, "odd", {}, [{"type": []}])
NAMING = {("model",), ("requests", 0, "model")}
"""Places that name the model: one that nobody has is our configuration's fault, not the caller's."""


@pytest.mark.parametrize("path", [path for path in RICH if path in {*PATHS, BATCH} - {STREAM}])
async def test_no_odd_value_anywhere_in_a_request_is_our_fault(house: House, path: str) -> None:
    """What becomes of them in translation is tried without HTTP, in `test_odd_requests`."""
    client = house.client()
    faults = []
    for place in places(RICH[path]):
        for odd in ODD:
            reply = await client.post(path, json=replaced(RICH[path], place, odd))
            if reply.status_code not in {200, 400} and place not in NAMING:
                faults.append((place, odd, reply.status_code, reply.text[:200]))
            if reply.status_code != 200:
                error_at(path, reply)
    assert not faults
    await assert_nothing_held(house)


METHODS = ("", ":", ":generate", ":generateContents", ":GENERATECONTENT", ":predict", ":embedContent:x", "/x", ":%67")


@pytest.mark.parametrize("method", METHODS)
async def test_an_unknown_method_of_a_model_is_not_found(house: House, method: str) -> None:
    reply = await house.client().post(f"/v1beta/models/simulated/echo{method}", json=GEMINI)
    assert reply.status_code in {404, 405}, reply.text
    assert reply.json()["error"]["message"]


@google_paths
async def test_odd_names_of_models_are_unknown_or_wrong(house: House, path: str) -> None:
    method = path.rpartition(":")[2]
    names = [
        "nobody",
        "..",
        "../simulated/echo",
        "simulated/..%2F..%2Fecho",
        "%2e%2e",
        "a%00b",
        "a%0d%0ab",
        "na%C3%AFve",
    ]
    names += ["a b", "%", "%zz", "x" * 300, "*", "'OR'1'='1", "models/simulated/echo", "?", "%F0%9F"]
    for name in names:
        sent = await house.client().post(f"/v1beta/models/{name}:{method}", json=RICH[path])
        # Below `simulated/` everything is a model, which then the provider does not have.
        assert sent.status_code in {400, 404, 405} | ({502} if name.startswith("simulated/") else set()), name
        assert sent.json()["error"]["message"]
        if sent.status_code == 400:
            assert error_at(path, sent) == ("wrong_type", "model"), name
    await assert_nothing_held(house)


@google_paths
async def test_a_name_may_be_percent_encoded(house: House, path: str) -> None:
    encoded = path.replace("simulated/tools", "simulated%2F%65cho")
    reply = await house.client().post(encoded, json=RICH[path])
    assert reply.status_code == 200, reply.text
    record = await record_of(house, reply.headers["x-request-id"])
    assert (record["model"], record["status"]) == ("simulated/echo", "ok")


@paths
async def test_keys_are_missing_wrong_or_not_of_one_mind(house: House, path: str) -> None:
    async def ask(query: str = "", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await house.client(None).post(path + query, json=RICH[path], headers=named)

    for reply, status, code in (
        (await ask(), 401, "missing_key"),
        (await ask(authorization="Basic eA=="), 401, "missing_key"),
        (await ask(x_goog_api_key="nobody's-key-with-enough-characters"), 401, "invalid_key"),
        (await ask(x_goog_api_key=ACME_KEY, authorization=f"Bearer {GLOBEX_KEY}"), 400, "ambiguous_credentials"),
        (await ask(x_goog_api_key=ACME_ADMIN_KEY), 403, "key_cannot_call_models"),
    ):
        assert (reply.status_code, error_at(path, reply)[0]) == (status, code)
    assert (await ask(x_goog_api_key=ACME_KEY, authorization=f"Bearer {ACME_KEY}")).status_code == 200
    in_query = await ask(f"?key={ACME_KEY}")
    if path not in GOOGLE:
        assert (in_query.status_code, error_at(path, in_query)[0]) == (401, "missing_key")
        return
    assert in_query.status_code == 200
    for query, headers in (
        (f"?key={ACME_KEY}&key={GLOBEX_KEY}", {}),
        (f"?key={ACME_KEY}", {"x_goog_api_key": GLOBEX_KEY}),
        (f"?key={ACME_KEY}", {"authorization": f"Bearer {GLOBEX_KEY}"}),
    ):
        reply = await ask(query, **headers)
        assert (reply.status_code, error_at(path, reply)[0]) == (400, "ambiguous_credentials")
    assert (await ask(f"?key={ACME_KEY}&key={ACME_KEY}", x_goog_api_key=ACME_KEY)).status_code == 200
    await assert_nothing_held(house)
    assert ACME_KEY not in house.log_lines()


@paths
async def test_the_content_type_does_not_decide_what_a_body_is(house: House, path: str) -> None:
    """SDKs and proxies get it wrong: what is JSON is read, what is not is refused as such."""
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
    ):
        sent = {"content-type": content_type}
        good = await house.client().post(path, content=json.dumps(RICH[path]), headers=sent)
        assert good.status_code == 200, good.text
        bad = await house.client().post(path, content=b"a=b&c=d", headers=sent)
        assert (bad.status_code, error_at(path, bad)[0]) == (400, "malformed_body")


async def test_what_responses_do_not_offer_is_refused_by_name(house: House) -> None:
    reply = await house.client().post(RESPONSES_PATH, json=RESPONSES | {"background": True})
    assert reply.status_code == 400
    assert error_at(RESPONSES_PATH, reply)[1] == "background"
