"""Gives two tenants something of every noun that an address can name, by the addresses themselves."""

import pyotp

from enfilade.api.asgi import AsgiApp
from enfilade.bootstrap.isolation.asking import Asker, Request
from enfilade.core.clock import Clock, to_datetime
from enfilade.core.errors import InternalError

PASSWORD = "seven green lamps over the river"  # noqa: S105 - of somebody who is there for a moment
API = "/api/v1"
WISH = {"kind": "model", "model": "chat", "duration": "1h", "reason": "to be asked for"}
MONTHS_AWAY = "9999-12-30"


class Furnisher:
    """Makes things in one tenant. Each step must succeed: what is not there cannot be asked for."""

    def __init__(self, application: AsgiApp, tenant: str, keys: dict[str, str], clock: Clock) -> None:
        """Work with the tenant's keys and the platform's."""
        self._tenant, self._clock, self._application = tenant, clock, application
        self._people = {name: self._asker(keys[f"{tenant}-{name}"]) for name in ("ana", "bo", "app")}
        self._platform = self._asker(keys["platform"])

    def _asker(self, key: str | None = None) -> Asker:
        return Asker(self._application, key)

    async def furnish(self) -> str:
        """Do all of it. Returns the token of a session of Ana's, who owns the tenant."""
        await self._organise()
        await self._approve()
        await self._call()
        await self._as_platform()
        return await self._sign_in()

    async def _do(self, who: Asker, method: str, path: str, body: object = None) -> dict[str, object]:
        reply = await who.ask(Request(method, path, body=body))
        if reply.status >= 300:
            message = (
                f"The trial could not be prepared: {method} {path} was answered by {reply.status} {reply.text[:300]}"
            )
            raise InternalError(message)
        content = reply.content
        return content if isinstance(content, dict) else {}

    async def _organise(self) -> None:
        """A group, a role and who has it, an issuer of tokens, more money for a while."""
        tenant, ana = self._tenant, self._people["ana"]
        email = f"ana@{tenant}.example"
        await self._do(ana, "POST", f"{API}/groups", {"name": f"{tenant}-group", "members": [email]})
        role = {"name": f"{tenant}-role", "permissions": ["applications:read"]}
        await self._do(ana, "POST", f"{API}/roles", role)
        await self._do(
            ana, "POST", f"{API}/role-assignments", {"role": f"{tenant}-role", "user": f"bo@{tenant}.example"}
        )
        issuer = {"name": f"{tenant}-login", "url": "https://login.example.com", "audiences": [tenant]}
        await self._do(ana, "POST", f"{API}/issuers", issuer)
        reply = await ana.get(f"{API}/budgets")
        budget = reply.content["items"][0]["id"]
        more = {"by_usd": 1, "until": MONTHS_AWAY, "reason": "to be asked for"}
        await self._do(ana, "POST", f"{API}/budgets/{budget}/raises", more)

    async def _approve(self) -> None:
        """A rule, a request that was granted, access that was taken, a review and when it is repeated."""
        tenant, ana, bo = self._tenant, self._people["ana"], self._people["bo"]
        reviewer = f"user:bo@{tenant}.example"
        rule = {
            "name": f"{tenant}-rule",
            "stages": [{"reviewers": [reviewer]}],
            "emergency": [f"user:ana@{tenant}.example"],
        }
        await self._do(ana, "POST", f"{API}/approval-rules", rule)
        request = await self._do(ana, "POST", f"{API}/approval-requests", WISH)
        await self._do(bo, "POST", f"{API}/approval-requests/{request['id']}/approve", {})
        await self._do(ana, "POST", f"{API}/emergency-access", WISH)
        review = {"name": f"{tenant}-review", "reviewers": [reviewer]}
        await self._do(ana, "POST", f"{API}/access-reviews", review)
        path = f"{API}/access-review-schedules/{tenant}-schedule"
        schedule = {"name": f"{tenant}-schedule", "every": "year", "next_at": MONTHS_AWAY}
        await self._do(ana, "PUT", path, schedule)

    async def _call(self) -> None:
        """A call, a conversation and a response that are kept."""
        app, said = self._people["app"], f"The plans of {self._tenant}"
        item = {"type": "message", "role": "user", "content": said}
        await self._do(app, "POST", "/v1/conversations", {"items": [item]})
        await self._do(app, "POST", "/v1/responses", {"model": "chat", "input": said, "store": True})

    async def _as_platform(self) -> None:
        """An invoice, a credit and a broken glass."""
        tenant, platform = self._tenant, self._platform
        await self._do(platform, "PUT", f"{API}/issuer", {"name": "The operator"})
        await self._do(platform, "PUT", f"{API}/billing-profiles/{tenant}", {"name": tenant})
        credit = {"tenant": tenant, "amount_usd": "1", "reason": "to be asked for"}
        await self._do(platform, "POST", f"{API}/credits", credit)
        await self._do(platform, "POST", f"{API}/invoices", {"tenant": tenant, "period": "2001", "zero": True})
        await self._do(platform, "POST", f"{API}/break-glass", {"tenant": tenant, "reason": "to be asked for"})

    async def _sign_in(self) -> str:
        """A session, and in it a second factor."""
        ana, email = self._people["ana"], f"ana@{self._tenant}.example"
        await self._do(ana, "PUT", f"{API}/users/{email}/password", {"password": PASSWORD})
        credentials = {"tenant": self._tenant, "email": email, "password": PASSWORD, "token": True}
        entered = await self._do(self._asker(), "POST", "/auth/local/sign-in", credentials)
        session = entered["session"]
        assert isinstance(session, dict)
        token = str(session["token"])
        own = self._asker(token)
        app = await self._do(own, "POST", f"{API}/me/second-factors/totp", {"name": f"{self._tenant}-phone"})
        code = pyotp.TOTP(str(app["secret"])).at(to_datetime(self._clock.now_ns()))
        await self._do(own, "POST", f"{API}/me/second-factors/totp/{app['id']}/confirm", {"code": code})
        return token
