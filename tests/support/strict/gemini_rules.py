"""What Gemini refuses: https://ai.google.dev/api/generate-content, and the pages on functions and thought signatures."""

import base64
import binascii
import re
from functools import lru_cache
from typing import Any

from google.genai import types
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from tests.support.strict.signing import unsealed
from tests.support.strict.types import Refused, require

PLACEHOLDERS = {"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}
FUNCTION = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
MAX_STOP, MAX_CANDIDATES = 5, 8
_DATA = {
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
}
_SCHEMA_FIELDS = {"responseSchema", "responseJsonSchema"}


@lru_cache
def _models() -> dict[str, type[BaseModel]]:
    """The requests' types, of those of the SDK that are the wire's."""

    class Strict(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=False)

    class Generate(Strict):
        contents: list[types.Content]
        system_instruction: types.Content | None = None
        tools: list[types.Tool] | None = None
        tool_config: types.ToolConfig | None = None
        safety_settings: list[types.SafetySetting] | None = None
        generation_config: types.GenerationConfig | None = None
        cached_content: str | None = None
        service_tier: str | None = None
        store: bool | None = None

    class Wrapped(Generate):
        model: str

    class Count(Strict):
        contents: list[types.Content] | None = None
        generate_content_request: Wrapped | None = None

    class Embed(Strict):
        content: types.Content
        model: str | None = None
        task_type: str | None = None
        title: str | None = None
        output_dimensionality: int | None = None

    class Batch(Strict):
        requests: list[Embed]

    return {"generate": Generate, "count": Count, "embed": Embed, "batch": Batch}


def _check_type(kind: str, body: Any) -> None:
    try:
        _models()[kind].model_validate(body)
    except ValidationError as error:
        fault = max(error.errors(include_url=False, include_context=False), key=lambda found: len(found["loc"]))
        place = ".".join(str(step) for step in fault["loc"])
        message = f'Invalid JSON payload received. Unknown name or value at "{place}": {fault["msg"]}'
        raise Refused(message, param=place) from None
    _check_numbers(body)


def _check_numbers(value: Any, place: str = "") -> None:
    """The SDK's types would take numbers as texts."""
    whole = {"maxOutputTokens", "candidateCount", "seed", "logprobs", "thinkingBudget", "outputDimensionality"}
    real = {"temperature", "topP", "topK", "presencePenalty", "frequencyPenalty"}
    if isinstance(value, list):
        for entry in value:
            _check_numbers(entry, place)
    elif isinstance(value, dict):
        for name in ("generationConfig", "thinkingConfig"):
            if name in value:
                _check_numbers(value[name], name)
        for name, entry in value.items() if place in {"generationConfig", "thinkingConfig"} else ():
            fits = isinstance(entry, int) if name in whole else isinstance(entry, int | float)
            require(name not in whole | real or fits, f"Invalid value at '{place}.{name}'", param=name)


def check_generate(body: Any, model: str) -> None:
    """Raise Refused for a body that `generateContent` does not take."""
    _check_type("generate", body)
    contents = body["contents"]
    require(bool(contents), "* GenerateContentRequest.contents: contents is not specified", param="contents")
    for index, content in enumerate(contents):
        _check_content(content, f"contents[{index}]")
    if body.get("systemInstruction") is not None:
        for part in body["systemInstruction"]["parts"]:
            require("text" in part, "Only text is supported for system_instruction.", param="system_instruction")
    _check_turns(contents)
    if model.startswith("gemini-3"):
        _check_signatures(contents)
    _check_tools(body)
    _check_config(body.get("generationConfig") or {})


def check_count(body: Any, model: str) -> None:
    """Raise Refused for a body whose tokens are not counted."""
    _check_type("count", body)
    wrapped = body.get("generateContentRequest")
    require((wrapped is None) != (body.get("contents") is None), "contents or generateContentRequest, not both")
    if wrapped is not None:
        require(wrapped["model"] == f"models/{model}", "model is inconsistent", param="model")
        check_generate({name: value for name, value in wrapped.items() if name != "model"}, model)


def check_embed(body: Any, model: str) -> None:
    """Raise Refused for a body that holds nothing to embed."""
    _check_type("batch" if "requests" in body else "embed", body)
    for entry in body.get("requests", [body]):
        given = entry.get("model", None if "requests" in body else f"models/{model}")
        require(given == f"models/{model}", "model is inconsistent with the one in the address", param="model")
        text = "".join(part["text"] for part in entry["content"]["parts"])
        require(bool(text), "content is empty", param="content")
        fits = entry.get("title") is None or entry.get("taskType") == "RETRIEVAL_DOCUMENT"
        require(fits, "title is only valid with task_type=RETRIEVAL_DOCUMENT", param="title")


def _check_content(content: dict[str, Any], place: str) -> None:
    require(content.get("role") in {"user", "model"}, "Please use a valid role: user, model.", param=f"{place}.role")
    require(bool(content.get("parts")), f"{place}.parts must not be empty.", param=f"{place}.parts")
    for number, part in enumerate(content["parts"]):
        where = f"{place}.parts[{number}]"
        held = _DATA & set(part)
        require(
            len(held) == 1, f"{where}.data: required oneof field 'data' must have one initialized field", param=where
        )
        if "text" in part and "thoughtSignature" not in part:
            require(bool(part["text"]), f"{where}: must have a text parameter", param=where)
        if "inlineData" in part:
            _check_blob(part["inlineData"], where)
        if "fileData" in part:
            require(bool(part["fileData"].get("fileUri")), f"{where}: fileUri is required", param=where)
        for name in ("functionCall", "functionResponse"):
            if name in part:
                require(FUNCTION.fullmatch(part[name].get("name") or "") is not None, f"{where}.{name}.name: Invalid")
        answer = part.get("functionResponse")
        require(answer is None or isinstance(answer.get("response"), dict), f"{where}.function_response.response")


def _check_blob(blob: dict[str, Any], where: str) -> None:
    require(bool(blob.get("mimeType")), f"{where}.inline_data.mime_type: is required", param=where)
    try:
        require(bool(base64.b64decode(blob["data"], validate=True)), f"{where}.inline_data.data: is required")
    except (binascii.Error, KeyError):
        raise Refused(f"{where}.inline_data.data: Base64 decoding failed", param=where) from None


def _check_turns(contents: list[dict[str, Any]]) -> None:
    require(contents[0]["role"] == "user", "Please ensure that multiturn requests start with a user turn.")
    open_calls: list[dict[str, Any]] = []
    before = None
    for content in contents:
        is_twice = content["role"] == before == "model"
        require(not is_twice, "Please ensure that multiturn requests alternate between user and model.")
        before = content["role"]
        answers = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        message = "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn."
        require(len(answers) == len(open_calls), message, param="contents")
        wanted = sorted(call["name"] for call in open_calls)
        message = "Please ensure that function response turn comes immediately after a function call turn."
        require(sorted(answer["name"] for answer in answers) == wanted, message, param="contents")
        ids = {call["id"] for call in open_calls if call.get("id")}
        given = {answer["id"] for answer in answers if answer.get("id")}
        require(not ids or not given or ids == given, "function response ids do not match the calls", param="contents")
        require(not calls or content["role"] == "model", "Function calls belong to the model's turns.")
        require(not answers or content["role"] == "user", "Function responses belong to the user's turns.")
        open_calls = calls
    require(not open_calls, "The last turn holds function calls that nobody answered.", param="contents")


def _check_signatures(contents: list[dict[str, Any]]) -> None:
    """Of the turns since the user last said something: the first call of each step is signed."""
    begins = max(
        (
            index
            for index, content in enumerate(contents)
            if content["role"] == "user" and not any("functionResponse" in part for part in content["parts"])
        ),
        default=0,
    )
    for index, content in enumerate(contents):
        first = True
        for part in content["parts"]:
            given = part.get("thoughtSignature")
            if "functionCall" in part:
                name = part["functionCall"]["name"]
                message = f"Function call is missing a thought_signature in functionCall parts. Function `{name}`, position {index}."
                require(given is not None or not first or index < begins, message, param="contents")
                first = False
            if given is not None and given not in PLACEHOLDERS:
                sealed_for = unsealed(given.replace("-", "+").replace("_", "/"))
                fits = sealed_for is not None and sealed_for in (_content_of(part), "text")
                require(fits, "Thought signature is not valid.", param="contents")


def _content_of(part: dict[str, Any]) -> Any:
    call = part.get("functionCall")
    return [call["name"], call.get("args") or {}] if call is not None else "text"


def _check_tools(body: dict[str, Any]) -> None:
    names: list[str] = []
    for tool in body.get("tools") or ():
        require(bool(tool), "tools[0].tool_type: required one_of 'tool_type' must have one initialized field")
        for function in tool.get("functionDeclarations") or ():
            names.append(function["name"])
            message = f"Invalid function name: {function['name']}. Must start with a letter or an underscore."
            require(FUNCTION.fullmatch(function["name"]) is not None, message, param="tools")
            both = "parameters" in function and "parametersJsonSchema" in function
            require(not both, "parameters and parametersJsonSchema are mutually exclusive.", param="tools")
    require(len(set(names)) == len(names), "Duplicate function declaration found.", param="tools")
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed, mode = config.get("allowedFunctionNames"), config.get("mode")
    message = "Function calling config is set without function_declarations."
    require(bool(names) or mode in {None, "NONE", "AUTO"}, message, param="tool_config")
    if allowed is not None:
        message = "allowed_function_names should only be set when function calling mode is ANY."
        require(mode in {"ANY", "VALIDATED"}, message, param="tool_config")
        require(set(allowed) <= set(names), "allowed_function_names must be declared.", param="tool_config")


def _check_config(config: dict[str, Any]) -> None:
    require(len(config.get("stopSequences") or ()) <= MAX_STOP, "The number of stop sequences must be at most 5.")
    for name, low, high in (("temperature", 0, 2), ("topP", 0, 1), ("candidateCount", 1, MAX_CANDIDATES)):
        value = config.get(name)
        require(value is None or low <= value <= high, f"{name} must be in the range [{low}, {high}].", param=name)
    require((config.get("maxOutputTokens") or 1) >= 1, "max_output_tokens must be positive.", param="maxOutputTokens")
    given = _SCHEMA_FIELDS & set(config)
    require(len(given) < len(_SCHEMA_FIELDS), "response_schema and response_json_schema are mutually exclusive.")
    is_json = config.get("responseMimeType") in {"application/json", "text/x.enum"}
    require(is_json or not given, "response_schema requires the mime type application/json.", param="responseSchema")
    thinking = config.get("thinkingConfig") or {}
    both = "thinkingBudget" in thinking and "thinkingLevel" in thinking
    require(not both, "You can only set one of thinking budget and thinking level.", param="thinkingConfig")
    message = "logprobs requires response_logprobs to be true."
    require(config.get("logprobs") is None or config.get("responseLogprobs") is True, message, param="logprobs")
