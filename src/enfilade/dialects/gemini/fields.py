"""Fields as Google's JSON writes them: each name in camelCase or snake_case, checked as they are read."""

from collections.abc import Iterator
from typing import Any

from enfilade.dialects.bodies import NAMES_OF_TYPES
from enfilade.dialects.errors import WrongType

_KNOWN = [
    "cachedContent",
    "continuationToken",
    "generationConfig",
    "safetySettings",
    "systemInstruction",
    "serviceTier",
    "toolConfig",
    "modelArmorConfig",
    "candidateCount",
    "frequencyPenalty",
    "presencePenalty",
    "maxOutputTokens",
    "mediaResolution",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "responseJsonSchema",
    "speechConfig",
    "stopSequences",
    "thinkingConfig",
    "topK",
    "topP",
    "audioTimestamp",
    "enableAffectiveDialog",
    "enableEnhancedCivicAnswers",
    "imageConfig",
    "routingConfig",
    "modelSelectionConfig",
    "responseFormat",
    "translationConfig",
    "audioTranscriptionConfig",
    "includeThoughts",
    "thinkingBudget",
    "thinkingLevel",
    "functionDeclarations",
    "parametersJsonSchema",
    "functionCallingConfig",
    "allowedFunctionNames",
    "streamFunctionCallArguments",
    "retrievalConfig",
    "includeServerSideToolInvocations",
    "codeExecution",
    "computerUse",
    "enterpriseWebSearch",
    "exaAiSearch",
    "fileSearch",
    "googleMaps",
    "googleSearch",
    "googleSearchRetrieval",
    "mcpServers",
    "parallelAiSearch",
    "urlContext",
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "thoughtSignature",
    "videoMetadata",
    "toolCall",
    "toolResponse",
    "partMetadata",
    "audioTranscription",
    "mediaProcessing",
    "speechMetadata",
    "documentMetadata",
    "spreadsheetMetadata",
    "audioMetadata",
    "displayName",
    "fileUri",
    "mimeType",
    "partialArgs",
    "willContinue",
    "generateContentRequest",
    "taskType",
    "outputDimensionality",
    "embedContentConfig",
    "autoTruncate",
    "documentOcr",
    "audioTrackExtraction",
    "additionalProperties",
    "anyOf",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minItems",
    "minLength",
    "minProperties",
    "propertyOrdering",
]


def snake(name: str) -> str:
    """A name in the other way of writing."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


_CAMEL = {snake(name): name for name in _KNOWN}
# Google's SDKs wrote the schema with a leading underscore while it was new.
_CAMEL |= {"_responseJsonSchema": "responseJsonSchema", "_response_json_schema": "responseJsonSchema"}


def camelled(value: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields that are given (null is not), by their camelCase names. Raises WrongType for one given twice."""
    found: dict[str, Any] = {}
    for written, entry in value.items():
        if entry is None:
            continue
        name = _CAMEL.get(written, written)
        if name in found:
            message = f"`{where}.{name}` is there twice, in two ways of writing it."
            raise WrongType(message, param=f"{where}.{name}")
        found[name] = entry
    return found


def wrong(where: str, must: str) -> WrongType:
    """A field that has another type than it must have."""
    return WrongType(f"`{where}` must be {must}.", param=where)


def object_at(value: object, where: str) -> dict[str, Any]:
    """An object's fields. Raises WrongType."""
    if not isinstance(value, dict):
        raise wrong(where, "an object")
    return camelled(value, where)


def entries_at(value: object, where: str) -> Iterator[tuple[str, Any]]:
    """The entries of an array, each with its path; Google takes a single one without an array too."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield f"{where}[{index}]", entry
    elif value is not None:
        yield where, value


def text_at(fields: dict[str, Any], name: str, where: str) -> str | None:
    """A text, or None. Raises WrongType."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong(f"{where}.{name}" if where else name, NAMES_OF_TYPES[str])
    return value


def flag_at(fields: dict[str, Any], name: str, where: str) -> bool | None:
    """True, false, or None. Raises WrongType."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(f"{where}.{name}", NAMES_OF_TYPES[bool])
    return value


def number_at(fields: dict[str, Any], name: str, where: str) -> float | None:
    """A number, or None. Raises WrongType."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(f"{where}.{name}", NAMES_OF_TYPES[float])
    return float(value)


def whole_at(fields: dict[str, Any], name: str, where: str) -> int | None:
    """A whole number, or None; Google takes 40.0 for 40. Raises WrongType."""
    value = number_at(fields, name, where)
    if value is None:
        return None
    if not value.is_integer():
        raise wrong(f"{where}.{name}", NAMES_OF_TYPES[int])
    return int(fields[name])


def texts_at(fields: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    """An array of texts, perhaps empty. Raises WrongType."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise wrong(f"{where}.{name}", "an array of strings")
    return tuple(value)


def word_at(fields: dict[str, Any], name: str, where: str, unspecified: str) -> str | None:
    """One of an enumeration's words, in upper case; None for the one that says nothing. Raises WrongType."""
    value = text_at(fields, name, where)
    return None if value is None or value.upper() in {"", unspecified} else value.upper()
