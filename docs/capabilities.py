"""The page on what known models can do."""

from docs.pages import code, page, table
from enfilade.gateway.capabilities.known import ABILITIES, SETTINGS
from enfilade.gateway.capabilities.known import table as known_models


def capabilities() -> str:
    """What the table of known models says, and how an administrator says otherwise."""
    rows = (
        (
            ", ".join(code(pattern) for pattern in entry.names),
            ", ".join(code(word) for word in sorted(entry.lacks)) or "nothing",
            entry.max_output or "",
        )
        for entry in known_models()
    )
    return page(
        "Capabilities",
        "What models are known not to do, by their providers' names for them: the first pattern that matches counts. A model "
        "that is not here is taken to do everything, and its provider decides.",
        "A request that needs an **ability** that its model lacks is refused before anything is reserved or sent (`capability_missing`), unless "
        "another deployment of the model has it. When a call is translated, a missing ability or **setting** is what "
        "[translation](translation.md) says: a schema becomes a tool that must be used, a temperature is left out and named.",
        "A model's `capabilities` in the [configuration](configuration.md) count before this table. Abilities that are listed are "
        "all that the model has; a setting that is listed is there; a word with a minus before it is taken away.",
        "```yaml\nmodels:\n  - name: our-model\n    deployments: [{provider: our-vllm, model: our-model}]\n"
        "    capabilities: [tools, json_schema, -logprobs]\n```",
        f"Abilities: {', '.join(code(word) for word in sorted(ABILITIES))}.",
        f"Settings: {', '.join(code(word) for word in sorted(SETTINGS))}.",
        table(("models", "lack", "answer at most, in tokens"), rows),
    )
