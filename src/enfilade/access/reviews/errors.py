"""What can be wrong with campaigns and answers."""

from enfilade.core.errors import Conflict, Forbidden, InvalidRequest, NotFound


class InvalidReview(InvalidRequest):
    """The campaign, or an answer in it, does not fit."""

    code = "invalid_access_review"
    status = 422


class UnknownReview(NotFound):
    """There is no such campaign that the caller may see."""

    code = "access_review_not_found"


class UnknownReviewItem(NotFound):
    """There is no such item that the caller may see."""

    code = "access_review_item_not_found"


class UnknownReviewSchedule(NotFound):
    """There is no such schedule."""

    code = "access_review_schedule_not_found"


class NotItemReviewer(Forbidden):
    """Somebody else answers this."""

    code = "not_item_reviewer"
    remedy = "The item lists who answers it; nobody answers about their own access."


class ReviewOver(Conflict):
    """The campaign is closed, or its time is over."""

    code = "access_review_over"
    remedy = "Start another campaign."


class AlreadyAnswered(Conflict):
    """The item was answered, and the answer has taken effect."""

    code = "access_review_answered"
    remedy = "What was revoked can be granted again by whoever may."


class ReviewUnanswered(Conflict):
    """The campaign has items that nobody has answered."""

    code = "access_review_unanswered"
    remedy = "Answer them, or wait until the campaign is due."
