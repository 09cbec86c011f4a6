"""The face of access reviews."""

from enfilade.access.approvals.service import Approvals
from enfilade.access.reviews.answers import Answers
from enfilade.access.reviews.applying import Applier, DropException, Rooms, keep_exceptions
from enfilade.access.reviews.campaigns import Campaigns
from enfilade.access.reviews.keeper import ReviewKeeper
from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.identity.service import Identity
from enfilade.storage.unit_of_work import Storage


class Reviews:
    """Campaigns and answers, one attribute each."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        ids: IdFactory,
        identity: Identity,
        approvals: Approvals,
        drop_exception: DropException = keep_exceptions,
    ) -> None:
        """Look at, and change, the access that these rooms give."""
        self.campaigns = Campaigns(ids, clock, approvals.reviewers)
        applier = Applier(Rooms(identity, approvals.grants, drop_exception))
        self.answers = Answers(storage, clock, approvals.reviewers, self.campaigns, applier)
        self.keeper = ReviewKeeper(storage, clock, self.campaigns, self.answers)
