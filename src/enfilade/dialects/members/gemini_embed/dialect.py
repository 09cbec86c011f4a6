"""What the line needs of the dialect."""

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, decode_object, is_given, may_name, read_any, require_entries, text_size
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import MissingField, WrongType
from enfilade.dialects.gemini.addresses import address_of, renamed
from enfilade.dialects.gemini.errors import GeminiErrors
from enfilade.dialects.gemini.requests import MEDIA_FIELDS, count_media
from enfilade.dialects.members.gemini_embed.codec import CODEC, vectors_in
from enfilade.dialects.types import ReplyFacts, Request
from enfilade.dialects.unstreamed import Unstreamed

TOKENS_PER_INPUT = 8
_NULL = msgspec.Raw(b"null")
_ENTRIES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class GeminiEmbed(Unstreamed, GeminiErrors):
    """See the package. There are no output tokens."""

    name = "gemini_embed"
    path = "/v1beta/models/{model}:embedContent"
    more_paths: tuple[str, ...] = (
        "/v1beta/models/{model}:batchEmbedContents",
        "/v1/models/{model}:embedContent",
        "/v1/models/{model}:batchEmbedContents",
    )
    operation = Operation.EMBED
    codec: Codec | None = CODEC
    forwarded_headers: frozenset[bytes] = frozenset()

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`. A body with `requests` is a batch, whatever the address says of it."""
        fields = decode_object(body)
        address = address_of(target, fields)
        is_batch = is_given(fields.get("requests", _NULL))
        if is_batch:
            require_entries(fields["requests"], "requests")
        elif address.method == "batchEmbedContents" or not is_given(fields.get("content", _NULL)):
            name = "requests" if address.method == "batchEmbedContents" else "content"
            message = f"`{name}` is required."
            raise MissingField(message, param=name)
        elif not bytes(fields["content"]).startswith((b"{", b'"')):
            message = "`content` must be an object."
            raise WrongType(message, param="content")
        request = Request(fields=fields, model=address.model, stream=False, size=len(body), makes_output=False)
        if may_name(body, *MEDIA_FIELDS):
            request.media = sum(count_media(raw, name) for name, raw in fields.items())
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        name = "requests" if "requests" in request.fields else "content"
        given = read_any(request.fields[name], name)
        return text_size(given) + TOKENS_PER_INPUT * (len(given) if isinstance(given, list) else 1)

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`: each request of a batch names the model once more."""
        del max_output, max_output_field
        fields = dict(request.fields)
        if "model" in fields:
            fields["model"] = renamed(fields["model"], model)
        if "requests" in fields:
            try:
                entries = _ENTRIES.decode(fields["requests"])
            except UNREADABLE:
                message = "`requests` must be an array of objects."
                raise WrongType(message, param="requests") from None
            named = [entry for entry in entries if "model" in entry]
            for entry in named:
                entry["model"] = renamed(entry["model"], model)
            if named:
                fields["requests"] = msgspec.Raw(ENCODER.encode(entries))
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        return ReplyFacts(vectors_in(body)[1])


DIALECT = GeminiEmbed()
