"""The face of signing in: everything that has to do with issuers, tokens and sessions, one attribute each."""

from collections.abc import Awaitable, Callable

from enfilade.identity.people import Users
from enfilade.identity.principals import Principals
from enfilade.identity.sign_in.devices import Devices
from enfilade.identity.sign_in.exchange import TokenExchange
from enfilade.identity.sign_in.means import Means
from enfilade.identity.sign_in.oidc import OpenIdSignIn
from enfilade.identity.sign_in.relayed import RelayedDevices
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.identity.tokens.arrivals import Arrivals
from enfilade.identity.tokens.book import IssuerBook
from enfilade.identity.tokens.issuers import Issuers
from enfilade.identity.tokens.service import Tokens
from enfilade.identity.tokens.vouched import VouchedRoles


class SignIn:
    """See the module."""

    def __init__(
        self,
        means: Means,
        users: Users,
        principals: Principals,
        sessions: Sessions,
        refresh: Callable[[], Awaitable[object]],
    ) -> None:
        """After a change, `refresh` lets this process know of it at once."""
        clock, storage = means.clock, means.storage
        self.sessions = sessions
        self.book = IssuerBook(means.fetcher, clock)
        vouched = VouchedRoles(means.ids)
        self.issuers = Issuers(means.ids, clock, self.book, means.sealer, vouched)
        arrivals = Arrivals(users, vouched, clock, refresh)
        self.tokens = Tokens(self.book, principals, arrivals, storage, clock)
        exchange = TokenExchange(self.book, self.issuers, means.fetcher)
        self.oidc = OpenIdSignIn(means, self.book, self.tokens, arrivals, sessions, exchange)
        self.devices = Devices(means.ids, clock, storage, sessions)
        self.relayed = RelayedDevices(self.oidc, exchange, clock)
