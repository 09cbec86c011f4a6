"""From what a provider reports as usage to disjoint figures. Each dialect has one table; all are read here.

    rows    what a table consists of
    table   a table, and how it reads a report with care
    quick   how it reads what nearly all reports are

A report is read without trust: whatever stands in it, what comes back is a usage, none where nothing was reported, or
one that is not plausible. Nothing raises.
"""

from enfilade.dialects.usage.rows import INPUT, OUTPUT, Row
from enfilade.dialects.usage.table import IMPOSSIBLE, Table, merged, with_searches

__all__ = ["IMPOSSIBLE", "INPUT", "OUTPUT", "Row", "Table", "merged", "with_searches"]
