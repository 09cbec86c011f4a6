"""Between the document's parts on access and the room's own forms, in both directions."""

from typing import Any

import msgspec

from enfilade.access.content import Content, MatrixRow, PolicySpec
from enfilade.access.use_cases import UseCaseSpec
from enfilade.configuration import access_parts as parts


def content_of(part: parts.Access) -> Content:
    """Policies, for the room."""
    fields = part.model_dump(mode="python")
    fields["policies"] = tuple(PolicySpec(**policy) for policy in fields["policies"])
    fields["matrix"] = tuple(row_of(row) for row in part.matrix)
    return Content(**fields)


def row_of(part: parts.MatrixRow) -> MatrixRow:
    """A row of the matrix, for the room."""
    given: dict[str, Any] = part.model_dump(mode="python")
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return MatrixRow(**fields)


def policy_of(part: parts.Policy) -> PolicySpec:
    """A policy, for the room."""
    return PolicySpec(**part.model_dump(mode="python"))


def access_fields(content: Content) -> dict[str, Any]:
    """Policies in the document's words."""
    fields: dict[str, Any] = {
        name: getattr(content, name)
        for name in ("default", "use_cases", "default_data_class", "second_person", "attributes")
    }
    fields["policies"] = [msgspec.structs.asdict(policy) for policy in content.policies]
    fields["matrix"] = [row_fields(row) for row in content.matrix]
    return fields


def row_fields(row: MatrixRow) -> dict[str, Any]:
    """A row of the matrix in the document's words."""
    fields: dict[str, Any] = msgspec.structs.asdict(row)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def use_case_spec(part: parts.UseCase) -> UseCaseSpec:
    """A use case, for the room."""
    fields = part.model_dump(mode="python")
    return UseCaseSpec(
        **fields | {"data_classes": tuple(fields["data_classes"]), "departments": tuple(fields["departments"])}
    )


def use_case_fields(spec: UseCaseSpec) -> dict[str, Any]:
    """A use case in the document's words."""
    fields: dict[str, Any] = msgspec.structs.asdict(spec)
    return fields | {"data_classes": list(spec.data_classes), "departments": list(spec.departments)}
