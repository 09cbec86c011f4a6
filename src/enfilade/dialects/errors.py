"""What can be wrong with a request or a reply in its dialect."""

from enfilade.core.errors import InvalidRequest, UpstreamFailed


class MissingField(InvalidRequest):
    """A field that the dialect requires is not there."""

    code = "missing_field"


class WrongType(InvalidRequest):
    """A field has another type than the dialect gives it, or a value out of its range."""

    code = "wrong_type"


class UnreadableReply(UpstreamFailed):
    """The provider answered something that is not its dialect."""

    code = "unreadable_reply"


class NotTranslatable(InvalidRequest):
    """The model is served in another dialect, which cannot take a field of the request."""

    code = "not_translatable"
    remedy = "Leave the field out, or use a model whose provider takes it; the documentation's matrix shows which do."


class ThreadsNotKept(InvalidRequest):
    """The request asks Anthropic to keep its conversation. What one tenant had kept, another could go on with, since
    they share the platform's keys; and nobody could say before the call what it may cost.
    """

    code = "threads_not_kept"
    remedy = "Send the whole conversation without `thread`; the SDK's tool runner does so by itself."
