"""What the line needs of the dialect."""

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import (
    ENCODER,
    MAX_CHOICES,
    MAX_OUTPUT,
    TOKENS_PER_MESSAGE,
    decode_object,
    is_given,
    may_name,
    raw_json,
    read_any,
    text_size,
)
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import MissingField, WrongType
from enfilade.dialects.gemini.addresses import address_of, renamed
from enfilade.dialects.gemini.envelopes import without_envelopes
from enfilade.dialects.gemini.errors import GeminiErrors
from enfilade.dialects.gemini.requests import MEDIA_FIELDS, count_media, require_one_spelling
from enfilade.dialects.members.gemini_generate.codec import CODEC
from enfilade.dialects.members.gemini_generate.reader import ContentStreamReader
from enfilade.dialects.members.gemini_generate.reply import read_facts
from enfilade.dialects.seals import MARK
from enfilade.dialects.searches import searches_by_name
from enfilade.dialects.types import ReplyFacts, Request

CONFIGS = ("generationConfig", "generation_config")
WITH_PARTS = ("contents", "systemInstruction", "system_instruction")
OUTPUT_FIELDS = ("maxOutputTokens", "max_output_tokens")
NO_TOKENS = frozenset({"model", "labels", "safetySettings", "safety_settings", "contents"})
"""Fields that no template shows the model; contents are counted by themselves."""
_MARK = MARK.encode()


class Config(msgspec.Struct, gc=False):
    """The settings that we act on, in both ways of writing them."""

    output: int | None = msgspec.field(name="maxOutputTokens", default=None)
    output_snake: int | None = msgspec.field(name="max_output_tokens", default=None)
    candidates: int | None = msgspec.field(name="candidateCount", default=None)
    candidates_snake: int | None = msgspec.field(name="candidate_count", default=None)


_CONFIG = msgspec.json.Decoder(Config)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class GeminiGenerate(GeminiErrors):
    """See the package."""

    name = "gemini_generate"
    path = "/v1beta/models/{model}:generateContent"
    more_paths: tuple[str, ...] = (
        "/v1beta/models/{model}:streamGenerateContent",
        "/v1/models/{model}:generateContent",
        "/v1/models/{model}:streamGenerateContent",
    )
    operation = Operation.GENERATE
    codec: Codec | None = CODEC
    forwarded_headers: frozenset[bytes] = frozenset()

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        fields = decode_object(body)
        address = address_of(target, fields)
        contents = bytes(fields.get("contents", NO_VALUE))
        if len(contents) <= len(b"null") and contents in {b"null", b"[]", b'""'}:
            message = "`contents` is required: at least one turn."
            raise MissingField(message, param="contents")
        if not contents.startswith((b"[", b"{", b'"')):
            message = "`contents` must be an array with at least one entry."
            raise WrongType(message, param="contents")
        request = Request(fields=fields, model=address.model, stream=False, size=len(body))
        request.stream = address.method == "streamGenerateContent"
        request.as_array = request.stream and not address.sse
        request.envelopes = _MARK in body
        require_one_spelling(fields)
        _read_config(request)
        _read_tier(request)
        request.searches = searches_by_name(fields.get("tools")) * request.choices
        if may_name(body, *MEDIA_FIELDS):
            request.media = sum(count_media(fields[name], name) for name in WITH_PARTS if name in fields)
        # Nobody but Google knows how much the cached content holds: a bound is found as for media.
        request.media += any(is_given(fields.get(name, NO_VALUE)) for name in ("cachedContent", "cached_content"))
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        contents = read_any(request.fields["contents"], "contents")
        turns = len(contents) if isinstance(contents, list) else 1
        extra = sum(len(bytes(raw)) for name, raw in request.fields.items() if name not in NO_TOKENS)
        return text_size(contents) + TOKENS_PER_MESSAGE * (turns + 1) + extra

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`: the model stands in the address, and in the body only where the caller had it."""
        del max_output_field
        fields = without_envelopes(request.fields, model) if request.envelopes else dict(request.fields)
        if "model" in fields:
            fields["model"] = renamed(fields["model"], model)
        if max_output is not None:
            name = next((name for name in CONFIGS if is_given(fields.get(name, NO_VALUE))), CONFIGS[0])
            config = _FIELDS.decode(fields[name]) if is_given(fields.get(name, NO_VALUE)) else {}
            present = next((field for field in OUTPUT_FIELDS if field in config), OUTPUT_FIELDS[0])
            config[present] = raw_json(max_output)
            fields[name] = msgspec.Raw(ENCODER.encode(config))
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        return read_facts(body)

    def stream_reader(self, request: Request) -> ContentStreamReader:
        """See `Dialect.stream_reader`; usage is part of every chunk."""
        return ContentStreamReader(candidates=request.choices, as_array=request.as_array)


NO_VALUE = msgspec.Raw(b"null")


def _read_config(request: Request) -> None:
    """The output bound and the number of candidates. Raises WrongType."""
    raw = next((request.fields[name] for name in CONFIGS if is_given(request.fields.get(name, NO_VALUE))), None)
    if raw is None:
        return
    where = "generationConfig"
    if not bytes(raw).startswith(b"{"):
        message = f"`{where}` must be an object."
        raise WrongType(message, param=where)
    try:
        config = _CONFIG.decode(raw)
    except UNREADABLE as error:
        found = next((name for name in ("maxOutputTokens", "candidateCount") if _named(name, str(error))), None)
        path = f"{where}.{found}" if found else where
        message = f"`{path}` must be a whole number." if found else f"`{path}` cannot be read."
        raise WrongType(message, param=path) from None
    if len(both := [bound for bound in (config.output, config.output_snake) if bound is not None]) > 1:
        message = f"`{where}.maxOutputTokens` is there twice, in two ways of writing it."
        raise WrongType(message, param=f"{where}.maxOutputTokens")
    request.max_output = _between(both[0] if both else None, MAX_OUTPUT, f"{where}.maxOutputTokens")
    candidates = config.candidates if config.candidates is not None else config.candidates_snake
    request.choices = _between(candidates, MAX_CHOICES, f"{where}.candidateCount") or 1


def _named(name: str, error: str) -> bool:
    return name in error or "".join(f"_{c.lower()}" if c.isupper() else c for c in name) in error


def _between(value: int | None, most: int, where: str) -> int | None:
    if value is not None and not 1 <= value <= most:
        message = f"`{where}` must be between 1 and {most}."
        raise WrongType(message, param=where)
    return value


def _read_tier(request: Request) -> None:
    raw = request.fields.get("serviceTier", request.fields.get("service_tier"))
    if raw is None:
        return
    tier = read_any(raw, "serviceTier")
    if tier is not None and not isinstance(tier, str):
        message = "`serviceTier` must be a string."
        raise WrongType(message, param="serviceTier")
    request.service_tier = tier


DIALECT = GeminiGenerate()
