"""Citations: Anthropic's five kinds and the neutral form, which keeps the whole of the original beside what is common."""

from typing import Any

from enfilade.dialects.anthropic.carriers import FOREIGN_CITATION

ORIGINAL = "anthropic"


def read_citation(citation: dict[str, Any]) -> dict[str, Any] | None:
    """A citation in the neutral form; None for nothing that can be shown."""
    title = citation.get("title") or citation.get("document_title")
    url = citation.get("url") or citation.get("source")
    found: dict[str, Any] = {
        name: value
        for name, value in (("url", url), ("title", title), ("cited_text", citation.get("cited_text")))
        if isinstance(value, str)
    }
    if citation.get("encrypted_index") != FOREIGN_CITATION:
        found[ORIGINAL] = citation
    return found or None


def own_citation(citation: dict[str, Any]) -> dict[str, Any] | None:
    """The original, if it is Anthropic's: all that its provider takes back."""
    original = citation.get(ORIGINAL)
    return original if isinstance(original, dict) else None


def shown_citation(citation: dict[str, Any], text: str) -> dict[str, Any] | None:
    """A citation for a caller: the original, or another provider's as a web search's; None if it names no address."""
    if (original := own_citation(citation)) is not None:
        return original
    if not isinstance(citation.get("url"), str):
        return None
    start, end = citation.get("start"), citation.get("end")
    quoted = text[start:end] if isinstance(start, int) and isinstance(end, int) else ""
    return {
        "type": "web_search_result_location",
        "url": citation["url"],
        "title": citation.get("title"),
        "cited_text": citation.get("cited_text") or quoted,
        "encrypted_index": FOREIGN_CITATION,
    }
