"""The face of approvals."""

from enfilade.access.approvals.book import ApprovalBook
from enfilade.access.approvals.delegations import Delegations
from enfilade.access.approvals.emergency import Emergency
from enfilade.access.approvals.grants import Grants
from enfilade.access.approvals.keeper import ApprovalKeeper
from enfilade.access.approvals.people import FindOwner, Reviewers, no_owner
from enfilade.access.approvals.requests import Requests
from enfilade.access.approvals.rules import RuleBook
from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.storage.unit_of_work import Storage


class Approvals:
    """Rules, requests, grants and emergency access, one attribute each, and what of it is in memory."""

    def __init__(self, storage: Storage, clock: Clock, ids: IdFactory, owner_of: FindOwner = no_owner) -> None:
        """`owner_of` knows whose a use case is."""
        self.reviewers = Reviewers(owner_of)
        self.rules = RuleBook(ids, self.reviewers)
        self.grants = Grants(ids, clock)
        self.requests = Requests(ids, clock, self.reviewers, self.rules, self.grants)
        self.emergency = Emergency(ids, clock, self.reviewers, self.rules, self.grants)
        self.delegations = Delegations(clock, self.reviewers)
        self.book = ApprovalBook(clock)
        self.keeper = ApprovalKeeper(storage, clock, self.requests)
