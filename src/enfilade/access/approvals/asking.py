"""What somebody is told who lacks an approval."""


def how_to_ask(model: str | None, use_case: str | None = None) -> str:
    """How to ask for one, at the command line and over HTTP."""
    named = f" --model {model}" if model else ""
    named += f" --use-case {use_case}" if use_case else ""
    kind = "model" if model else "use_case"
    return (
        f"Ask for an approval: `enfilade approval request {kind}{named} --for 8h --reason …`, "
        "or `POST /api/v1/approval-requests`."
    )
