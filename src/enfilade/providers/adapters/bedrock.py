"""AWS Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html.

All models by Converse; Claude in its own dialect as well, and embeddings, by InvokeModel. Models are given by their ids,
by the ids of profiles over several regions (`us.anthropic.…`), or by ARNs.
"""

import base64
import re
from urllib.parse import quote

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bedrock.families import ANTHROPIC, COHERE, TITAN, family
from enfilade.dialects.traits import Traits
from enfilade.providers.authorities import aws
from enfilade.providers.authority import Authority, AuthorityNeeds, Headers
from enfilade.providers.bedrock_replies import arrived, read_bedrock_error
from enfilade.providers.errors import InvalidProvider, RequestRefused, UpstreamModelMissing
from enfilade.providers.http_provider import HttpAdapter
from enfilade.providers.types import Outgoing, ProviderSpec

SERVICE = "bedrock"
"""Its name in signatures; the host's is bedrock-runtime."""
CLAUDES_OWN = ("anthropic_messages", "anthropic_count")
ANTHROPIC_VERSION = msgspec.Raw(b'"bedrock-2023-05-31"')

_REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]+){1,3}-\d{1,2}")
_HOST = re.compile(r"://bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)")
_MODEL = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,2047}")
_PROFILE = re.compile(r"^(?:us|eu|apac|jp|au|ca|sa|us-gov|global)\.(?=anthropic\.)")
_ENCODER = msgspec.json.Encoder()


def _region(spec: ProviderSpec) -> str:
    """The region whose name stands in the address and in signatures. Raises InvalidProvider."""
    found = _HOST.search(spec.base_url or "")
    region = str(spec.options.get("aws_region") or (found[1] if found else None) or spec.region or "")
    if not _REGION.fullmatch(region):
        message = "a provider of kind 'bedrock' needs a region of AWS, such as us-east-1"
        raise InvalidProvider(message, param="options.aws_region" if "aws_region" in spec.options else "region")
    return region


def _base_url(spec: ProviderSpec) -> str:
    region = _region(spec)
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime.{region}.{suffix}"


def _check(spec: ProviderSpec) -> None:
    _region(spec)
    aws.check(spec)


def _authority(needs: AuthorityNeeds) -> Authority:
    return aws.authority_for(SERVICE, _region(needs.spec), needs)


def _model(outgoing: Outgoing) -> str:
    """The model as one segment of the path, as boto3 writes it."""
    if not _MODEL.fullmatch(outgoing.model) or ".." in outgoing.model:
        raise UpstreamModelMissing("Bedrock can have no model of that name: it is no id and no ARN.")
    return quote(outgoing.model, safe="")


def _converse(outgoing: Outgoing, spec: ProviderSpec) -> str:
    del spec
    return f"/model/{_model(outgoing)}/{'converse-stream' if outgoing.stream else 'converse'}"


def _invoke(outgoing: Outgoing, spec: ProviderSpec) -> str:
    del spec
    return f"/model/{_model(outgoing)}/{'invoke-with-response-stream' if outgoing.stream else 'invoke'}"


def _count(outgoing: Outgoing, spec: ProviderSpec) -> str:
    """The path of a count: models count, profiles of them do not."""
    del spec
    return f"/model/{_PROFILE.sub('', _model(outgoing))}/count-tokens"


def _dialects_of(model: str) -> tuple[str, ...]:
    whose = family(model)
    if "embed" in model:
        if whose == TITAN:
            return ("bedrock_titan_embed",)
        if whose == COHERE:
            return ("bedrock_cohere_embed",)
    return ("bedrock_converse", *CLAUDES_OWN) if whose == ANTHROPIC else ("bedrock_converse",)


def _reshape(outgoing: Outgoing) -> bytes:
    """See `HttpAdapter.reshape`."""
    if outgoing.dialect.name not in CLAUDES_OWN:
        return outgoing.body
    try:
        fields = _invoked(outgoing)
    except UNREADABLE:
        raise RequestRefused("A part of the request has not the form that Bedrock takes.") from None
    if outgoing.dialect.name == "anthropic_messages":
        return _ENCODER.encode(fields)
    fields.setdefault("max_tokens", msgspec.Raw(b"1"))  # A body to be invoked must have one.
    body = base64.b64encode(_ENCODER.encode(fields)).decode()
    return _ENCODER.encode({"input": {"invokeModel": {"body": body}}})


def _invoked(outgoing: Outgoing) -> dict[str, msgspec.Raw]:
    """Anthropic's own body, as InvokeModel takes it: the model stands in the path, as does whether it streams, and what
    Anthropic has in headers stands in the body.
    """
    headers = outgoing.headers
    outgoing.headers = tuple(header for header in headers if not header[0].startswith(b"anthropic-"))
    fields = msgspec.json.decode(outgoing.body, type=dict[str, msgspec.Raw])
    betas = msgspec.json.decode(fields.get("anthropic_beta", b"[]"), type=list[str])
    fields.pop("model", None)
    fields.pop("stream", None)
    fields.setdefault("anthropic_version", ANTHROPIC_VERSION)
    for name, value in headers:
        if name == b"anthropic-beta":
            betas += [beta.strip() for beta in value.decode("latin-1").split(",") if beta.strip()]
    if betas:
        fields["anthropic_beta"] = msgspec.Raw(_ENCODER.encode(list(dict.fromkeys(betas))))
    return fields


def _unused(key: str | None) -> Headers:
    del key
    return ()


ADAPTER = HttpAdapter(
    kind="bedrock",
    default_base_url=_base_url,
    needs_key=False,  # There are other ways to prove who asks; see `aws.check`.
    paths={
        "bedrock_converse": _converse,
        "anthropic_messages": _invoke,
        "anthropic_count": _count,
        "bedrock_titan_embed": _invoke,
        "bedrock_cohere_embed": _invoke,
    },
    authorize=_unused,
    authority=_authority,
    options=(aws.OPTIONS - aws.SECRET_OPTIONS) | {"aws_region"},
    secret_options=aws.SECRET_OPTIONS,
    # Neither of its forms has a documented place for who uses the application.
    traits=Traits(output_field="max_tokens", lacks=frozenset({"user"})),
    reshape=_reshape,
    arrived=arrived,
    read_error=read_bedrock_error,
    check=_check,
    dialects_of=_dialects_of,
)
