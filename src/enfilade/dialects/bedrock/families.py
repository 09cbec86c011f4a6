"""Whose model it is, from Bedrock's names: each maker's models take other settings beside those of Converse.

Names are `anthropic.claude-…-v1:0`, with `us.`, `eu.`, `apac.`, `global.` before them for profiles over several regions,
or ARNs that end in one of these. An ARN of a profile of the customer's own says nothing.
"""

import re
from functools import lru_cache

ANTHROPIC, NOVA, TITAN, COHERE, MISTRAL, META, OPENAI, DEEPSEEK = (
    "anthropic",
    "nova",
    "titan",
    "cohere",
    "mistral",
    "meta",
    "openai",
    "deepseek",
)
_MAKERS = re.compile(r"(?:^|[./:])(anthropic|amazon\.nova|amazon\.titan|cohere|mistral|meta|openai|deepseek)[.-]")
_CACHING = frozenset({ANTHROPIC, NOVA})


@lru_cache(maxsize=1000)
def family(model: str) -> str | None:
    """The maker and kind of a model; None when the name does not say."""
    found = _MAKERS.search(model)
    return None if found is None else found[1].removeprefix("amazon.")


def caches(model: str) -> bool:
    """Whether a model takes cache points."""
    return family(model) in _CACHING
