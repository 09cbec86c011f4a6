"""What can go wrong with a SCIM request. `scim_type` is the keyword of RFC 7644, section 3.12."""

from typing import ClassVar

from enfilade.core.errors import InvalidRequest


class ScimFault(InvalidRequest):
    """The base of what RFC 7644 has a keyword for."""

    code = "scim_invalid_value"
    scim_type: ClassVar[str] = "invalidValue"
    remedy = "Correct the request; what this server takes stands at `/scim/v2/Schemas`."


class InvalidFilter(ScimFault):
    """The filter cannot be read, or compares what cannot be compared."""

    code = "scim_invalid_filter"
    scim_type = "invalidFilter"


class InvalidPath(ScimFault):
    """The path of a change leads nowhere."""

    code = "scim_invalid_path"
    scim_type = "invalidPath"


class InvalidSyntax(ScimFault):
    """The body is not what RFC 7644 describes."""

    code = "scim_invalid_syntax"
    scim_type = "invalidSyntax"


class NotChangeable(ScimFault):
    """The attribute is the server's."""

    code = "scim_mutability"
    scim_type = "mutability"


class TooMuch(ScimFault):
    """More than this server works on at once."""

    code = "scim_too_much"
    scim_type = "tooMany"
    remedy = "Send it in several requests."
