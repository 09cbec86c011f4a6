"""The admin API."""

from enfilade.api.asgi import AsgiApp, Receive, Scope, Send, send_reply


def build_admin(_parts: object) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send_reply(send, 404, [], b"")

    return app
