"""The page on usage: which reported figure becomes which kind, from the tables that read the reports."""

from collections.abc import Iterator

from docs.pages import code, page, table
from enfilade.core.usage import MAX_TOKENS, QUANTITY_FIELDS
from enfilade.costs.prices.kinds import KINDS
from enfilade.dialects.bedrock.usage import CONVERSE, CONVERSE_OPENAI, INVOKED
from enfilade.dialects.gemini.usage import EMBED, GENERATE
from enfilade.dialects.members.anthropic_messages.usage import MESSAGES
from enfilade.dialects.members.openai_responses.usage import RESPONSES
from enfilade.dialects.openai.usage import CHAT, EMBEDDINGS
from enfilade.dialects.searches import MOST_SEARCHES
from enfilade.dialects.usage import INPUT, OUTPUT, Row, Table

KIND_OF = dict(zip(QUANTITY_FIELDS, KINDS, strict=True))
TABLES = {
    "openai_chat": CHAT,
    "openai_responses": RESPONSES,
    "openai_embeddings": EMBEDDINGS,
    "anthropic_messages": MESSAGES,
    "gemini_generate": GENERATE,
    "gemini_embed": EMBED,
    "bedrock_converse": CONVERSE,
    "bedrock_converse, models of OpenAI": CONVERSE_OPENAI,
    "bedrock_titan_embed, bedrock_cohere_embed": INVOKED,
}


def usage() -> str:
    """Every table."""
    parts = []
    for name, described in TABLES.items():
        parts += [f"## {name}", described.about, *_tables(described)]
    return page(
        "Usage",
        "Providers report what a call consumed each in their own way. A report is read into kinds that do not overlap; "
        "each kind has its own [price](../explanation/what-a-call-costs.md). `input` is what is left of the input when all other "
        "kinds of input are taken away, `output` what is left of the output.",
        "A figure that is null, or an object that is empty, counts as not reported. A report without its totals is "
        "missing. A figure that is negative, no whole number, no number at all, or more than "
        f"{MAX_TOKENS:,}, or a part that is larger than what it is a part of, makes the whole report impossible. In both "
        "cases the call is settled at an estimate, which is marked.",
        "## Web searches",
        "A request that lets its provider search may cost searches. They are counted where the reply tells them, and "
        "bounded before the call: by `max_uses` of Anthropic's tool, by `max_tool_calls` of a response, and otherwise by "
        f"{MOST_SEARCHES} for each answer.",
        *parts,
    )


def _tables(described: Table) -> Iterator[str]:
    yield table(("reported", "kind", "how it counts"), (_row(row) for row in described.rows))
    if described.total is not None:
        yield f"What {code(described.total)} has beyond both totals counts as reasoning."
    if described.more is not None:
        field, types = described.more
        shown = ", ".join(code(kind) for kind in sorted(types))
        yield f"Entries of {code(field)} with the type {shown} are reports of their own, added to this one."
    for field, variant in described.variants.items():
        yield f"With {code(field)}: {variant.about}"
        yield from _tables(variant)


def _row(row: Row) -> tuple[str, str, str]:
    return code(row.field), code(KIND_OF[row.part]), _counting(row)


def _counting(row: Row) -> str:
    if row.part in {INPUT, OUTPUT}:
        return "added to the total" if row.beside else "the total"
    words = []
    if row.within:
        words.append("part of " + " and of ".join(code(KIND_OF[part]) for part in row.within))
    elif row.total >= 0:
        words.append("beside the total, added to it")
    elif row.part.endswith("_tokens"):
        words.append("included in the total")
    if row.adds:
        words.append("added to the rows above")
    return "; ".join(words)
