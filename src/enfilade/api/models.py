"""`GET /v1/models` and `/v1/models/{id}`: what the key may ask for, in a form that OpenAI's and Anthropic's SDKs read.

`GET /v1beta/models` and `/v1beta/models/{id}` say the same to Gemini's.
"""

import msgspec

from enfilade.api.asgi import HeaderList, Receive, Scope, Send, send_reply
from enfilade.api.headers import Network, client_address, collect, credential, find_key_in_query
from enfilade.api.plain_errors import plain_error_body
from enfilade.core.clock import Clock, to_rfc3339
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import IdFactory
from enfilade.dialects.gemini.errors import error_object
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.errors import ModelNotFound
from enfilade.gateway.gate import Gate
from enfilade.gateway.resolve import is_allowed
from enfilade.gateway.types import Hints
from enfilade.identity.entrance import Entrance
from enfilade.identity.principal import Principal

PREFIX = "/v1/models/"
GEMINI = "/v1beta/models"
GEMINI_PREFIX = GEMINI + "/"
METHODS = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]
JSON: HeaderList = [(b"content-type", b"application/json")]


class ModelList:
    """Lists models."""

    def __init__(
        self,
        catalogue: Catalogue,
        gate: Gate,
        entrance: Entrance,
        clock: Clock,
        ids: IdFactory,
        trusted: tuple[Network, ...],
    ) -> None:
        """List what `catalogue` has and the caller may use, as `gate` tells."""
        self._gate = gate
        self._catalogue = catalogue
        self._entrance = entrance
        self._clock = clock
        self._ids = ids
        self._trusted = trusted
        self._since_ns = clock.now_ns()

    async def serve(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer any of the addresses."""
        path: str = scope["path"]
        request_id = self._ids.new_id()
        headers: HeaderList = [*JSON, (b"x-request-id", request_id.encode())]
        try:
            body = msgspec.json.encode(self._told(await self._authenticate(scope), path))
        except EnfiladeError as error:
            refusal = plain_error_body(error)
            if path.startswith(GEMINI):
                refusal = msgspec.json.encode(error_object(error, request_id))
            await send_reply(send, error.status, headers, refusal)
            return
        await send_reply(send, 200, headers, body)

    def _told(self, principal: Principal, path: str) -> dict[str, object]:
        if path == GEMINI:
            return {"models": [_gemini(name) for name in self._names(principal)]}
        if path.startswith(GEMINI_PREFIX):
            return _gemini(self._one(principal, path[len(GEMINI_PREFIX) :]))
        if path.startswith(PREFIX):
            return self._described(self._one(principal, path[len(PREFIX) :]))
        return self._all(principal)

    async def _authenticate(self, scope: Scope) -> Principal:
        found = collect(scope["headers"])
        if scope["path"].startswith(GEMINI):
            find_key_in_query(found, scope["query_string"])
        address = client_address(scope.get("client"), found, self._trusted)
        return await self._entrance.by_credential(credential(found), address)

    def _all(self, principal: Principal) -> dict[str, object]:
        names = self._names(principal)
        return {
            "object": "list",
            "data": [self._described(name) for name in names],
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }

    def _names(self, principal: Principal) -> list[str]:
        return [name for name in self._catalogue.names() if self._may(principal, name)]

    def _may(self, principal: Principal, name: str) -> bool:
        return is_allowed(principal, name) and self._gate.may_call(principal, name)

    def _one(self, principal: Principal, name: str) -> str:
        if not self._may(principal, name) or self._catalogue.resolve(name, 0, Hints()) is None:
            message = f"There is no model {name!r} that this key may use."
            raise ModelNotFound(message, param="model")
        return name

    def _described(self, name: str) -> dict[str, object]:
        return {
            "id": name,
            "object": "model",
            "created": self._since_ns // 1_000_000_000,
            "owned_by": "enfilade",
            "type": "model",
            "display_name": name,
            "created_at": to_rfc3339(self._since_ns),
        }


def _gemini(name: str) -> dict[str, object]:
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": METHODS}
