"""What can be wrong with a question about the past."""

from enfilade.core.errors import InvalidRequest, NotFound


class UnknownCall(NotFound):
    """There is no such call that the caller may see."""

    code = "call_not_found"
    remedy = "Check the id: it is the `x-request-id` of the call's reply."


class InvalidCursor(InvalidRequest):
    """The cursor is not one that this list gave out."""

    code = "invalid_cursor"
    remedy = "Use `next` of the previous page as it came, or leave `cursor` out."
