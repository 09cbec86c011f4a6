"""Sources and token probabilities of a candidate, in the neutral form and back."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from enfilade.dialects.bodies import as_object, is_given
from enfilade.dialects.json_text import object_in

_SOURCES = "citationSources"
"""As Gemini's own address has it, and its SDK reads it there; Vertex writes `citations`."""


def _entries(value: object) -> Iterator[dict[str, Any]]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict):
            yield entry


def citations_of(grounding: msgspec.Raw, sources: msgspec.Raw, text: str) -> tuple[dict[str, Any], ...]:
    """What the text rests on. Google counts its places in bytes, the neutral form in characters."""
    if not is_given(grounding) and not is_given(sources):
        return ()
    cited = object_in(sources)
    found = [
        _citation(text, entry.get("uri"), entry.get("title"), entry)
        for name in (_SOURCES, "citations")
        for entry in _entries(cited.get(name))
    ]
    grounded = object_in(grounding)
    chunks = list(_entries(grounded.get("groundingChunks")))
    for support in _entries(grounded.get("groundingSupports")):
        segment = as_object(support.get("segment"))
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else ():
            if isinstance(index, int) and 0 <= index < len(chunks):
                source = as_object(chunks[index].get("web") or chunks[index].get("retrievedContext"))
                found.append(_citation(text, source.get("uri"), source.get("title"), segment))
    return tuple(entry for entry in found if "url" in entry)


def _citation(text: str, url: object, title: object, segment: dict[str, Any]) -> dict[str, Any]:
    words = {"url": url, "title": title, "cited_text": segment.get("text")}
    found: dict[str, Any] = {name: value for name, value in words.items() if isinstance(value, str) and value}
    end = segment.get("endIndex")
    if isinstance(end, int):
        start = segment.get("startIndex")
        encoded = text.encode("utf-8", "surrogatepass")
        found["start"] = _characters(encoded, start if isinstance(start, int) else 0)
        found["end"] = _characters(encoded, end)
    return found


def _characters(encoded: bytes, count: int) -> int:
    return len(encoded[: max(0, count)].decode("utf-8", "ignore"))


def citation_metadata(citations: Iterable[dict[str, Any]], text: str) -> dict[str, Any] | None:
    """Neutral citations as a candidate's `citationMetadata`."""
    found = []
    for entry in citations:
        citation = {"uri": entry.get("url"), "title": entry.get("title")}
        citation = {name: value for name, value in citation.items() if value}
        for name, place in (("startIndex", entry.get("start")), ("endIndex", entry.get("end"))):
            if isinstance(place, int):
                citation[name] = len(text[:place].encode("utf-8", "surrogatepass"))
        if citation:
            found.append(citation)
    return {_SOURCES: found} if found else None


def logprobs_of(raw: msgspec.Raw) -> tuple[dict[str, object], ...]:
    """`logprobsResult`: the chosen tokens with their alternatives."""
    result = object_in(raw)
    tops = [
        [_token(entry) for entry in _entries(top.get("candidates"))] for top in _entries(result.get("topCandidates"))
    ]
    chosen = [_token(entry) for entry in _entries(result.get("chosenCandidates"))]
    return tuple(
        token | {"top_logprobs": tops[index] if index < len(tops) else []} for index, token in enumerate(chosen)
    )


def _token(entry: dict[str, Any]) -> dict[str, object]:
    token, logprob = entry.get("token"), entry.get("logProbability")
    text = token if isinstance(token, str) else ""
    number = float(logprob) if isinstance(logprob, int | float) else 0.0
    return {"token": text, "logprob": number, "bytes": list(text.encode("utf-8", "surrogatepass"))}


def logprobs_result(logprobs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Neutral token probabilities as `logprobsResult`."""
    entries = list(logprobs)
    return {
        "chosenCandidates": [_candidate(entry) for entry in entries],
        "topCandidates": [
            {"candidates": [_candidate(as_object(top)) for top in entry.get("top_logprobs") or ()]} for entry in entries
        ],
    }


def _candidate(entry: dict[str, Any]) -> dict[str, Any]:
    return {"token": entry.get("token", ""), "logProbability": entry.get("logprob", 0.0)}
