"""Models' names in paths. Callers may choose a part of them, where a model's configuration has a `*`."""

from urllib.parse import quote

from enfilade.providers.errors import UpstreamModelMissing


def in_path(model: str) -> str:
    """A model's name as one segment of a path. Raises UpstreamModelMissing for one that would be several, or none."""
    if not model or "/" in model or "\\" in model or ".." in model or model == ".":
        message = "The provider can have no model of that name: a name stands in the path, as one part of it."
        raise UpstreamModelMissing(message)
    return quote(model, safe="@")
