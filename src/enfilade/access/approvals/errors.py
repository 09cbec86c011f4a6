"""What can be wrong with requests, rules and grants."""

from enfilade.core.errors import Conflict, Forbidden, InvalidRequest, NotFound


class InvalidApprovalRule(InvalidRequest):
    """A rule of who reviews what does not fit."""

    code = "invalid_approval_rule"
    status = 422


class InvalidAccessRequest(InvalidRequest):
    """What is asked for does not fit."""

    code = "invalid_access_request"
    status = 422


class DurationExceeded(InvalidRequest):
    """The access is asked for longer than the rule allows."""

    code = "duration_exceeded"
    status = 422
    remedy = "Ask for a shorter time; the message names the longest."


class UnknownApprovalRule(NotFound):
    """There is no such rule."""

    code = "approval_rule_not_found"


class UnknownApprovalRequest(NotFound):
    """There is no such request that the caller may see."""

    code = "approval_request_not_found"


class UnknownGrant(NotFound):
    """There is no such grant that the caller may see."""

    code = "access_grant_not_found"


class UnknownDelegation(NotFound):
    """There is no such delegation of the caller's."""

    code = "delegation_not_found"


class NotAPerson(Forbidden):
    """The credential stands for no person of the tenant."""

    code = "not_a_person"
    remedy = "Sign in, or use a key that stands for a user: access is asked for and decided by people."


class OwnRequest(Forbidden):
    """Nobody decides about their own access."""

    code = "own_request"
    remedy = "Somebody else has to decide; the request lists who may."


class NotReviewer(Forbidden):
    """The request awaits the decision of others."""

    code = "not_reviewer"
    remedy = "The request lists whose decision it awaits."


class EmergencyNotAllowed(Forbidden):
    """The person may not take this access."""

    code = "emergency_not_allowed"
    remedy = "Ask for it instead: `enfilade approval request`."


class NoReviewers(Conflict):
    """Nobody could decide about this."""

    code = "no_reviewers"
    remedy = "Have an administrator name reviewers, or a fallback, in the tenant's approval rules."


class RequestPending(Conflict):
    """The same was asked for already."""

    code = "request_pending"
    remedy = "Wait for the decision, or withdraw the earlier request."


class RequestClosed(Conflict):
    """The request was decided, withdrawn, or has expired."""

    code = "request_closed"
    remedy = "Make a new request."


class AlreadyReviewed(Conflict):
    """The reviewer has decided already, or somebody in their place."""

    code = "already_reviewed"
    remedy = "Each reviewer decides once."


class GrantEnded(Conflict):
    """The grant has ended or was revoked before."""

    code = "access_grant_ended"
    remedy = "Make a new request."


class ReviewClosed(Conflict):
    """Somebody has reviewed this emergency access already."""

    code = "emergency_reviewed"
    remedy = "Nothing is left to do."
