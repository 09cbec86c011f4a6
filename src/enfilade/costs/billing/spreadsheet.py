"""The lines of a document as CSV (RFC 4180)."""

import csv
import io

from enfilade.costs.billing.paper import Paper

COLUMNS = (
    *("document", "type", "tenant", "first_day", "last_day", "line", "section", "earlier_period", "model", "kind"),
    *("quantity", "per", "unit_price", "amount", "currency", "amount_usd"),
)


def spreadsheet(paper: Paper) -> str:
    """A header, one row for each line, then the sums: credits, net, taxes and total."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    start = (paper.number or "", paper.type, paper.tenant, paper.period.first_day, paper.period.last_day)
    code = paper.currency.code
    for line in paper.lines:
        what = (line.n, line.section, line.period or "", plain(line.model or ""), line.kind or "")
        writer.writerow(
            (*start, *what, line.quantity, line.per, line.unit_price or "", line.amount, code, line.amount_usd)
        )

    def sum_row(section: str, words: str, amount: str, usd: str = "") -> None:
        writer.writerow((*start, "", section, "", plain(words), "", "", "", "", amount, code, usd))

    sum_row("subtotal", "", paper.subtotal, paper.usage_usd)
    for credit in paper.credits:
        sum_row("credit", credit.reason, credit.amount, credit.amount_usd)
    sum_row("net", "", paper.net)
    for tax in paper.taxes:
        sum_row("tax", f"{tax.name} {tax.rate} %", tax.amount)
    sum_row("total", "", paper.total)
    return out.getvalue()


def plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula: model names may come from callers."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) or text[:1] in {"\t", "\r"} else text
