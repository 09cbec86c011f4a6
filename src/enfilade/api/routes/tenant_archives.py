"""Tenants as files: written from one installation, restored on another."""

import asyncio
import base64
import binascii
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.download import ends_with_caller, let_body_take_long
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.core.errors import InvalidRequest
from enfilade.identity.archive_trust import Trust
from enfilade.identity.permissions import BREAK_GLASS_MANAGE, TENANTS_MANAGE
from enfilade.identity.roles.granting import require_standing
from enfilade.identity.tenant_imports import Imported, ImportOrder
from enfilade.identity.types import Tenant
from enfilade.storage.errors import ArchiveFault
from enfilade.storage.moving.archive import Put

MEDIA_TYPE = "application/x-tar"
WRITE_BYTES = 1 << 20
Manager = Annotated[Actor, Depends(Needs(TENANTS_MANAGE, "platform"))]
Passphrase = Annotated[
    str,
    Header(
        alias="x-enfilade-passphrase",
        max_length=6000,
        description="What seals the tenant's keys in the archive: 12 characters or more, as UTF-8 in base64. Addresses are "
        "logged on the way, headers hardly ever.",
    ),
]
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "description": "The archive. One that breaks off without its last chunk is not whole.",
        "headers": {"content-disposition": {"schema": {"type": "string"}}},
    }
}
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An archive, as it was written.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ImportQuery(BaseModel):
    """How an archive is to be restored."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str | None, Field(max_length=63, description="Another name for the tenant.")] = None
    isolation: Annotated[str | None, Field(max_length=20, description="As it was, if left out.")] = None
    cell: Annotated[str | None, Field(max_length=63, description="One with room, if left out.")] = None
    trusted_key: Annotated[
        str | None, Field(max_length=100, description="The public key, in base64, that must have signed the archive.")
    ] = None
    allow_unsigned: Annotated[bool, Field(description="Take an archive that nobody signed.")] = False


class ImportedTenantView(View):
    """A tenant that came from an archive."""

    id: str
    name: str
    isolation: str
    cell: str
    state: str
    rows: int
    signed_by: Annotated[str | None, Field(description="The name of the key that signed; null where nobody did.")]
    public_key: Annotated[str | None, Field(description="The key itself, in base64.")]
    is_known: Annotated[bool, Field(description="Whether that is the key that was named, or this installation's own.")]


class SigningKeyView(View):
    """The public half of the key by which the installation signs archives and records."""

    name: Annotated[str | None, Field(description="The beginning of the key's SHA-256; null where nothing is signed.")]
    public_key: Annotated[str | None, Field(description="Ed25519, in base64.")]


class ArchiveReply(Response):
    """An archive that is made while it is sent. What goes wrong before its first byte is a problem like any other."""

    def __init__(self, write: Callable[[Put], Awaitable[None]], filename: str) -> None:
        """Send what `write` gives."""
        disposition = {"content-disposition": f'attachment; filename="{filename}"'}
        super().__init__(None, media_type=MEDIA_TYPE, headers=disposition)
        del self.headers["content-length"]
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        del scope, receive
        began = False

        async def put(chunk: bytes) -> None:
            nonlocal began
            if not began:
                began = True
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

        # A failure later on breaks the connection off: without its last chunk nobody takes it for the whole.
        await self._write(put)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


ROUTER = APIRouter(tags=["tenants"])


@ROUTER.get(
    "/tenants/{name}/archive", response_class=Response, responses=FILE, dependencies=[Depends(ends_with_caller)]
)
async def export(context: Context, name: str, actor: Manager, passphrase: Passphrase) -> Response:
    """Write everything of a tenant into one archive.

    It is made while it is sent, from one snapshot; calls go on meanwhile. What is sealed stays sealed: the keys to it are in
    the archive under the passphrase. All else can be read by whoever has the archive.
    """
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        tenant = await context.rooms.identity.tenants.get(unit, name)
    _require_way_in(context, actor, tenant)
    return ArchiveReply(
        partial(context.archives.write, actor.scope, tenant, _passphrase(passphrase)), f"{tenant.name}.tar"
    )


@ROUTER.post("/tenant-archives", status_code=201, openapi_extra=UPLOAD)
async def restore(
    context: Context,
    request: Request,
    actor: Manager,
    query: Annotated[ImportQuery, Query()],
    passphrase: Passphrase,
) -> ImportedTenantView:
    """Restore a tenant from an archive, with its ids and its keys: all of it, or nothing.

    The archive is checked as a whole before anything is changed. It waits in a temporary file of the server's meanwhile.
    """
    trust = Trust(query.trusted_key, query.allow_unsigned)
    order = ImportOrder(_passphrase(passphrase), query.name, query.isolation, query.cell, trust)
    let_body_take_long(request)
    with tempfile.TemporaryFile() as file:
        await _receive(request, file)
        return show(await context.imports.read(actor.scope, file, order))


@ROUTER.get("/tenant-archives/signing-key")
async def signing_key(context: Context, actor: Manager) -> SigningKeyView:
    """Show the key by which this installation signs: others name it when they import what was written here."""
    del actor
    key = await context.archives.signing_key()
    return SigningKeyView(name=key.name if key else None, public_key=key.public_key if key else None)


def show(imported: Imported) -> ImportedTenantView:
    """A tenant that came, as it is shown."""
    tenant, vouched = imported.tenant, imported.vouched
    return ImportedTenantView(
        id=tenant.id,
        name=tenant.name,
        isolation=tenant.spec.isolation,
        cell=tenant.cell,
        state=tenant.state,
        rows=imported.rows,
        signed_by=vouched.key,
        public_key=vouched.public_key,
        is_known=vouched.is_known,
    )


def _require_way_in(context: AdminContext, actor: Actor, tenant: Tenant) -> None:
    """Whoever has the archive reads the tenant: where that needs broken glass, so does this. Raises BreakGlassRequired."""
    glass = None
    if actor.scope.may(BREAK_GLASS_MANAGE):
        glass = context.principals.glass(tenant.id, actor.scope.actor, context.clock.now_ns())
    if glass is None:
        require_standing(context.principals.settings(tenant.id))


def _passphrase(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        message = "the passphrase is not UTF-8 in base64"
        raise InvalidRequest(message, param="x-enfilade-passphrase") from None


async def _receive(request: Request, file: IO[bytes]) -> None:
    waiting = bytearray()
    try:
        async for chunk in request.stream():
            waiting += chunk
            if len(waiting) >= WRITE_BYTES:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
        file.flush()
    except OSError as error:
        message = f"The server has no room for the archive: {error.strerror}."
        raise ArchiveFault(message) from None
