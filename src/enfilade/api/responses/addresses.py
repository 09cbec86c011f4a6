"""`/v1/responses…` and `/v1/conversations…`: which address and method asks for what."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from enfilade.api.asgi import CallerLeft, HeaderList, Receive, Send, read_body, send_reply
from enfilade.api.asgi import Scope as Connection
from enfilade.api.calls import DataPlaneOptions, retry_headers
from enfilade.api.headers import HINTED, client_address, collect, credential
from enfilade.api.plain_errors import plain_error_body
from enfilade.api.responses.handlers import Handlers
from enfilade.api.responses.request import Asked, read_query
from enfilade.api.served import Served
from enfilade.core.errors import EnfiladeError, MethodNotAllowed, NotFound
from enfilade.core.ids import IdFactory
from enfilade.dialects.codec import Operation
from enfilade.gateway.resolve import require_in_scope
from enfilade.gateway.stored.service import Stored
from enfilade.identity.entrance import Entrance

RESPONSES, CONVERSATIONS = "/v1/responses", "/v1/conversations"
DIALECT = "openai_responses"
NAME = "*"
"""Stands in a route for a name."""

CALLED: Mapping[tuple[str, ...], tuple[str, ...]] = {("responses",): ("POST",)}
"""Where calls to models are made too; they do not come here."""

OWNER = "a key's tenant, and in it the application or user who stored it"

Handler = Callable[[Asked], Awaitable[bytes]]
Route = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """What is needed to know who asks."""

    entrance: Entrance
    ids: IdFactory
    options: DataPlaneOptions


class StoredAddresses:
    """Serves what is stored."""

    def __init__(self, stored: Stored, caller: Caller) -> None:
        """Answer from `stored`."""
        self._caller = caller
        answers = Handlers(stored)
        self.routes: Mapping[Route, Mapping[str, Handler]] = {
            ("responses",): {"GET": answers.list_responses},
            ("responses", NAME): {"GET": answers.get_response, "DELETE": answers.delete_response},
            ("responses", NAME, "cancel"): {"POST": answers.cancel_response},
            ("responses", NAME, "input_items"): {"GET": answers.list_input_items},
            ("conversations",): {"GET": answers.list_conversations, "POST": answers.create_conversation},
            ("conversations", NAME): {
                "GET": answers.get_conversation,
                "POST": answers.change_conversation,
                "DELETE": answers.delete_conversation,
            },
            ("conversations", NAME, "items"): {"GET": answers.list_items, "POST": answers.add_items},
            ("conversations", NAME, "items", NAME): {"GET": answers.get_item, "DELETE": answers.delete_item},
        }

    def serves(self, path: str) -> bool:
        """Whether the path is one of these."""
        return any(path == root or path.startswith(f"{root}/") for root in (RESPONSES, CONVERSATIONS))

    def addresses(self) -> Iterator[Served]:
        """Each, with its methods."""
        for route, methods in self.routes.items():
            path = "/v1"
            for before, part in zip(("", *route), route, strict=False):
                path += f"/{{{before}}}" if part == NAME else f"/{part}"
            yield from (Served(method, path, OWNER) for method in methods)

    async def serve(self, connection: Connection, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: HeaderList = [
            (b"content-type", b"application/json"),
            (b"x-request-id", self._caller.ids.new_id().encode()),
        ]
        try:
            handler, names = self._route(connection, headers)
            body = await handler(await self._read(connection, receive, names))
        except CallerLeft:
            return
        except EnfiladeError as error:
            await send_reply(send, error.status, [*headers, *retry_headers(error)], plain_error_body(error))
            return
        await send_reply(send, 200, headers, body)

    def _route(self, connection: Connection, headers: HeaderList) -> tuple[Handler, tuple[str, ...]]:
        path: str = connection["path"]
        parts = path.split("/")[2:]
        route = tuple(NAME if index % 2 else part for index, part in enumerate(parts))
        methods = self.routes.get(route)
        if methods is None or "" in parts:
            message = f"There is nothing at {path[:200]}."
            raise NotFound(message)
        handler = methods.get("GET" if connection["method"] == "HEAD" else connection["method"])
        if handler is None:
            headers.append((b"allow", ", ".join([*methods, *CALLED.get(route, ())]).encode()))
            message = "This address does not take this method."
            raise MethodNotAllowed(message)
        return handler, tuple(parts[1::2])

    async def _read(self, connection: Connection, receive: Receive, names: tuple[str, ...]) -> Asked:
        caller = self._caller
        found = collect(connection["headers"])
        address = client_address(connection.get("client"), found, caller.options.trusted_proxies)
        principal = await caller.entrance.by_credential(credential(found), address)
        require_in_scope(principal, Operation.GENERATE, DIALECT)
        scope = principal.scope
        if HINTED in found and (user := found.get(b"x-enfilade-user")) is not None:
            scope = principal.for_user(user.decode("utf-8", "replace").strip())
        body = b""
        if connection["method"] == "POST":
            body = await read_body(receive, found.get(b"content-length"), caller.options.max_body_bytes)
        return Asked(principal, scope, names, read_query(connection.get("query_string", b"")), body)
