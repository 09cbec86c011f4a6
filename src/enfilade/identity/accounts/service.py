"""The face of local accounts."""

from dataclasses import dataclass

from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.identity.accounts.attempts import Attempts
from enfilade.identity.accounts.challenges import Challenges
from enfilade.identity.accounts.credentials import Credentials
from enfilade.identity.accounts.factors import Factors
from enfilade.identity.accounts.passwords import Passwords
from enfilade.identity.accounts.rules import AccountRuleBook
from enfilade.identity.accounts.signing_in import AccountRooms, PasswordSignIn
from enfilade.identity.accounts.webauthn import RelyingParty
from enfilade.identity.principals import Principals
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.sealing.sealer import Sealer
from enfilade.storage.unit_of_work import Storage


@dataclass(frozen=True, slots=True)
class Foundations:
    """What local accounts stand on."""

    storage: Storage
    principals: Principals
    sessions: Sessions
    sealer: Sealer
    ids: IdFactory
    clock: Clock


class Accounts:
    """The use cases around local accounts, one attribute each."""

    def __init__(self, given: Foundations, public_url: str | None = None, passwords: Passwords | None = None) -> None:
        """Bind security keys to `public_url`."""
        self.passwords = passwords or Passwords()
        self.rules = AccountRuleBook()
        self.challenges = Challenges(given.ids, given.clock)
        self.factors = Factors(given.ids, given.clock, given.sealer, RelyingParty.at(public_url))
        rooms = AccountRooms(
            given.storage,
            given.principals,
            given.sessions,
            self.passwords,
            Attempts(given.clock),
            self.challenges,
            self.factors,
            self.rules,
        )
        self.sign_in = PasswordSignIn(rooms)
        self.credentials = Credentials(rooms, self.sign_in, given.clock)
