"""What SCIM's routes share: bodies, pages, errors in the protocol's own form, and what is shown of a resource."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Needs
from enfilade.api.admin.views import expected_version
from enfilade.api.calls import retry_headers
from enfilade.core.errors import BodyTooLarge, Conflict, EnfiladeError, InvalidRequest, Unauthenticated
from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.errors import VersionMismatch
from enfilade.identity.permissions import PROVISIONING_WRITE
from enfilade.identity.provisioning.errors import InvalidSyntax, ScimFault
from enfilade.identity.provisioning.filters import Path, parse_path
from enfilade.identity.provisioning.resources import DEFAULT_COUNT, MAX_COUNT, MAX_START, Listed, Query
from enfilade.identity.provisioning.schemas import Kind, known_urn

MEDIA_TYPE = "application/scim+json"
ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PREFIX = "/scim/v2"
MAX_BODY_BYTES = 2_000_000
MAX_NAMES = 50

Client = Annotated[Actor, Depends(Needs(PROVISIONING_WRITE, "one"))]


class ScimRoute(APIRoute):
    """A route whose errors have SCIM's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except EnfiladeError as error:
                return error_reply(error)
            except RequestValidationError:
                return error_reply(InvalidSyntax("The request's parameters do not fit."))

        return handled


def error_reply(error: EnfiladeError) -> Response:
    """One of our errors as RFC 7644 wants it."""
    status, kind = error.status, None
    if isinstance(error, ScimFault):
        kind = error.scim_type
    elif isinstance(error, Conflict) and not isinstance(error, VersionMismatch):
        kind = "uniqueness" if status == 409 else None
    elif isinstance(error, InvalidRequest) and status in {400, 422}:
        status, kind = 400, "invalidValue"
    reply = refusal(status, error.message, kind)
    for name, value in retry_headers(error):
        reply.headers[name.decode()] = value.decode()
    if isinstance(error, Unauthenticated):
        reply.headers["www-authenticate"] = "Bearer"
    return reply


def refusal(status: int, detail: str, kind: str | None = None) -> Response:
    """An error in the protocol's form."""
    content = {"schemas": [ERROR_URN], "status": str(status), "detail": detail}
    return JSONResponse(content | ({"scimType": kind} if kind else {}), status, media_type=MEDIA_TYPE)


async def read_object(request: Request) -> dict[str, Any]:
    """The body. Raises InvalidSyntax, BodyTooLarge."""
    body = await request.body()
    if len(body) > MAX_BODY_BYTES:
        message = f"The body is larger than {MAX_BODY_BYTES} bytes."
        raise BodyTooLarge(message)
    try:
        content = msgspec.json.decode(body)
    except UNREADABLE:
        content = None
    if not isinstance(content, dict):
        message = "The body is no JSON object."
        raise InvalidSyntax(message)
    return content


def base_of(context: AdminContext, request: Request) -> str:
    """The address under which resources are named."""
    return (context.accounts.factors.party.origin or str(request.base_url).rstrip("/")) + PREFIX


def version_asked(request: Request) -> int | None:
    """The version that a change is meant for. Raises VersionMismatch."""
    return expected_version(request.headers.get("if-match"))


@dataclass(frozen=True, slots=True)
class Shown:
    """Which attributes of a resource are wanted."""

    only: tuple[Path, ...] = ()
    without: tuple[Path, ...] = ()

    @property
    def members(self) -> bool:
        """Whether a group's members are wanted: there may be many."""
        named = any(path.name.lower() == "members" for path in self.only)
        left_out = any(path.name.lower() == "members" and path.sub is None for path in self.without)
        return named if self.only else not left_out

    def of(self, resource: dict[str, Any], kind: Kind) -> dict[str, Any]:
        """The resource with no more than that; `id` and `schemas` always stay."""
        if not self.only and not self.without:
            return resource
        shown: dict[str, Any] = {name: resource[name] for name in ("schemas", "id") if name in resource}
        for name, value in resource.items():
            urn = next((urn for urn, _ in kind.extensions if urn == name), None)
            if urn is not None:
                part = {sub: kept for sub, entry in value.items() if (kept := self._keep(urn, sub, entry)) is not None}
                if part:
                    shown[name] = part
            elif name not in shown and (kept := self._keep(None, name, value)) is not None:
                shown[name] = kept
        return shown

    def _keep(self, urn: str | None, name: str, value: Any) -> Any:
        named = [path for path in self.only or self.without if _is(path, urn, name)]
        whole = any(path.sub is None for path in named)
        subs = {path.sub.lower() for path in named if path.sub is not None}
        if self.only:
            return value if whole else _parts(value, lambda sub: sub in subs) if subs else None
        return None if whole else _parts(value, lambda sub: sub not in subs) if subs else value


def _is(path: Path, urn: str | None, name: str) -> bool:
    same_place = (path.urn or "").lower() == (urn or "").lower() or (urn is None and "core" in (path.urn or ""))
    if not path.name:
        return same_place
    return path.name.lower() == name.lower() and (same_place or path.urn is None)


def _parts(value: Any, keep: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_parts(entry, keep) for entry in value]
    if not isinstance(value, dict):
        return value
    return {name: entry for name, entry in value.items() if keep(name.lower())}


def shown_of(parameters: Mapping[str, Any]) -> Shown:
    """From `attributes` and `excludedAttributes`. Raises InvalidPath."""
    return Shown(_paths(parameters.get("attributes")), _paths(parameters.get("excludedAttributes")))


def _paths(given: Any) -> tuple[Path, ...]:
    names = given if isinstance(given, list) else given.split(",") if isinstance(given, str) else []
    names = [name.strip() for name in names if isinstance(name, str) and name.strip()]
    if len(names) > MAX_NAMES:
        message = f"At most {MAX_NAMES} attributes can be named."
        raise InvalidSyntax(message, param="attributes")
    # A schema's name alone means all of its attributes.
    return tuple(Path(urn, "") if (urn := known_urn(name)) else parse_path(name) for name in names)


def query_of(parameters: Mapping[str, Any], shown: Shown) -> Query:
    """What a list is asked for. Raises InvalidSyntax."""
    texts: dict[str, str | None] = {}
    for name in ("filter", "sortBy", "sortOrder"):
        value = parameters.get(name)
        if value is not None and not isinstance(value, str):
            message = f"`{name}` is a text."
            raise InvalidSyntax(message, param=name)
        texts[name] = value
    return Query(
        filter=texts["filter"] or None,
        sort_by=texts["sortBy"] or None,
        descending=(texts["sortOrder"] or "").lower() == "descending",
        start=_number(parameters, "startIndex", 1, MAX_START),
        count=_number(parameters, "count", DEFAULT_COUNT, MAX_COUNT),
        members=shown.members,
    )


def _number(parameters: Mapping[str, Any], name: str, default: int, most: int) -> int:
    """A whole number; too large a one counts as the largest there is, a negative one as none."""
    value = parameters.get(name, default)
    text = str(value).strip().removeprefix("+")
    digits = text.removeprefix("-")
    if isinstance(value, bool) or not digits.isascii() or not digits.isdigit():
        message = f"`{name}` is a whole number."
        raise InvalidSyntax(message, param=name)
    if text.startswith("-"):
        return 0
    return most if len(digits) > len(str(most)) else min(int(digits), most)


def list_reply(listed: Listed, shown: Shown, kind: Kind) -> Response:
    """A page."""
    resources = [shown.of(resource, kind) for resource in listed.resources]
    content = {
        "schemas": [LIST_URN],
        "totalResults": listed.total,
        "startIndex": listed.start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }
    return JSONResponse(content, media_type=MEDIA_TYPE)


def resource_reply(
    resource: dict[str, Any], shown: Shown, kind: Kind, status: int = 200, request: Request | None = None
) -> Response:
    """One resource, with its version; nothing of it for whoever has that version already."""
    about = resource["meta"]
    headers = {"etag": about["version"]}
    if request is not None and _has(request.headers.get("if-none-match"), about["version"]):
        return Response(status_code=304, headers=headers)
    if status == 201:
        headers["location"] = about["location"]
    if status == 204:
        return Response(status_code=204, headers=headers)
    return JSONResponse(shown.of(resource, kind), status, headers, MEDIA_TYPE)


def _has(if_none_match: str | None, version: str) -> bool:
    """Whether one of the tags is the version. They are compared weakly, as RFC 9110 has it for this header."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or version.removeprefix("W/") in tags
