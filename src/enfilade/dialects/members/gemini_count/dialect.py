"""What the line needs of the dialect."""

import msgspec

from enfilade.dialects.bodies import ENCODER, decode_object, is_given, may_name, read_any, text_size
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import MissingField
from enfilade.dialects.gemini.addresses import address_of, renamed
from enfilade.dialects.gemini.envelopes import without_envelopes
from enfilade.dialects.gemini.errors import GeminiErrors
from enfilade.dialects.gemini.requests import MEDIA_FIELDS, count_media
from enfilade.dialects.members.gemini_count.codec import CODEC, WRAPPERS, count_in
from enfilade.dialects.seals import MARK
from enfilade.dialects.types import ReplyFacts, Request
from enfilade.dialects.unstreamed import Unstreamed

_MARK = MARK.encode()
_NULL = msgspec.Raw(b"null")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class GeminiCount(Unstreamed, GeminiErrors):
    """See the package. Google charges nothing for counting."""

    name = "gemini_count"
    path = "/v1beta/models/{model}:countTokens"
    more_paths: tuple[str, ...] = ("/v1/models/{model}:countTokens",)
    operation = Operation.COUNT
    codec: Codec | None = CODEC
    forwarded_headers: frozenset[bytes] = frozenset()

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        fields = decode_object(body)
        model = address_of(target, fields).model
        if not any(is_given(fields.get(name, _NULL)) for name in ("contents", *WRAPPERS)):
            message = "`contents` is required, or a whole `generateContentRequest`."
            raise MissingField(message, param="contents")
        request = Request(fields=fields, model=model, stream=False, size=len(body), makes_output=False, is_free=True)
        request.envelopes = _MARK in body
        if may_name(body, *MEDIA_FIELDS):
            request.media = sum(count_media(raw, name) for name, raw in fields.items())
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        return sum(text_size(read_any(raw, name)) for name, raw in request.fields.items() if name != "model")

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`: a wrapped request names the model once more."""
        del max_output, max_output_field
        fields = without_envelopes(request.fields, model) if request.envelopes else dict(request.fields)
        if "model" in fields:
            fields["model"] = renamed(fields["model"], model)
        for name in WRAPPERS:
            if bytes(fields.get(name, _NULL)).startswith(b"{"):
                inner = _FIELDS.decode(fields[name])
                if "model" in inner:
                    inner["model"] = renamed(inner["model"], model)
                if request.envelopes:
                    inner = without_envelopes(inner, model)
                if "model" in inner or request.envelopes:
                    fields[name] = msgspec.Raw(ENCODER.encode(inner))
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`: nothing was used."""
        count_in(body)
        return ReplyFacts()


DIALECT = GeminiCount()
