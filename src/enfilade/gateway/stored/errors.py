"""What can be wrong with a request for, or a reference to, something stored."""

from enfilade.core.errors import InvalidRequest, NotFound


class ResponseNotFound(NotFound):
    """There is no stored response of that id for this caller."""

    code = "response_not_found"
    remedy = "`GET /v1/responses` lists what is stored; a response is kept for as long as its application says."


class ConversationNotFound(NotFound):
    """There is no conversation of that id for this caller."""

    code = "conversation_not_found"
    remedy = "`GET /v1/conversations` lists what is stored; `POST /v1/conversations` makes one."


class ItemNotFound(NotFound):
    """The conversation has no item of that id."""

    code = "conversation_item_not_found"
    remedy = "`GET /v1/conversations/{id}/items` lists what it has."


class PreviousResponseNotFound(InvalidRequest):
    """The response that the request continues, or an earlier one that it builds on, is not stored."""

    code = "previous_response_not_found"
    remedy = "Send the conversation's items as `input`, or keep it as a conversation (`POST /v1/conversations`)."


class StoringRefused(InvalidRequest):
    """The request asks that its response be stored, and that is not done here."""

    code = "storing_refused"
    remedy = "Leave `store` out or set it to false; an administrator may set the application's `store_responses`."


class ContextTooLarge(InvalidRequest):
    """What is stored, together with what is added, is more than one request may hold."""

    code = "stored_context_too_large"
    remedy = "Begin anew with what still matters as `input`, or delete items that no longer do."


class InvalidItem(InvalidRequest):
    """An item, or a list of them, is not what can be stored."""

    code = "invalid_item"
    remedy = "Send `items` as an array of objects, each with a `type`, or with a `role` and `content`."


class InvalidMetadata(InvalidRequest):
    """Metadata are not a small object of texts."""

    code = "invalid_metadata"
    remedy = "Send an object of at most 16 texts: names of up to 64 characters, values of up to 512."


class NotOffered(InvalidRequest):
    """A part of the Responses API that is not offered here."""

    code = "not_offered"
    remedy = "Make the call without it: answers are given in the reply or as its stream."
