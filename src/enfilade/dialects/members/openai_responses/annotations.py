"""Citations and log probabilities, which stand beside an answer's text."""

from collections.abc import Iterable
from typing import Any

from enfilade.dialects.bodies import as_object

_OWN = frozenset({"file_citation", "container_file_citation", "file_path"})


def read_citations(annotations: object) -> tuple[dict[str, Any], ...]:
    """Annotations in the neutral form; those that point into a provider's files stay as they are."""
    found = []
    for entry in annotations if isinstance(annotations, list) else ():
        given = as_object(entry)
        if given.get("type") != "url_citation":
            if given:
                found.append(given)
            continue
        named = {"url": "url", "title": "title", "start_index": "start", "end_index": "end"}
        found.append({neutral: given[name] for name, neutral in named.items() if given.get(name) is not None})
    return tuple(found)


def write_annotations(citations: Iterable[dict[str, Any]], length: int) -> list[dict[str, Any]]:
    """Citations as annotations of a text of that length. One without an address has no place among them."""
    written = []
    for citation in citations:
        if citation.get("type") in _OWN:
            written.append(citation)
        elif isinstance(url := citation.get("url"), str):
            start, end = citation.get("start"), citation.get("end")
            written.append(
                {
                    "type": "url_citation",
                    "start_index": 0 if start is None else start,
                    "end_index": length if end is None else end,
                    "url": url,
                    "title": citation.get("title") or "",
                }
            )
    return written


def read_logprobs(given: object) -> tuple[dict[str, Any], ...]:
    """Log probabilities in the neutral form."""
    entries = given if isinstance(given, list) else ()
    return tuple(
        _token(entry)
        | {"top_logprobs": [_token(top) for top in entry.get("top_logprobs") or () if isinstance(top, dict)]}
        for entry in entries
        if isinstance(entry, dict)
    )


def write_logprobs(logprobs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Log probabilities as responses have them: bytes are always there."""
    return [
        _written(entry) | {"top_logprobs": [_written(top) for top in entry.get("top_logprobs") or ()]}
        for entry in logprobs
    ]


def _token(entry: dict[str, Any]) -> dict[str, Any]:
    return {"token": entry.get("token"), "logprob": entry.get("logprob"), "bytes": entry.get("bytes")}


def _written(entry: dict[str, Any]) -> dict[str, Any]:
    token, given = entry.get("token") or "", entry.get("bytes")
    return {
        "token": token,
        "bytes": list(str(token).encode("utf-8", "replace")) if given is None else given,
        "logprob": entry.get("logprob"),
    }
