"""Typesets one document: JSON on standard input, PDF on standard output. A process of its own runs this.

What comes in is data for the template, never a part of it, so nobody's name can be markup.
"""

import json
import sys
from importlib.resources import files

import typst

BAD_INPUT = 3
CANNOT_TYPESET = 4


def typeset(request: bytes, kind: str = "pdf") -> list[bytes]:
    """The document's file, or with `png` its pages. Raises ValueError, TypstError."""
    given = json.loads(request)
    template = files("enfilade.costs.billing").joinpath("invoice.typ").read_bytes()
    made = typst.compile(  # type: ignore[call-overload]
        template,
        format=kind,
        ppi=110.0,
        sys_inputs={"paper": json.dumps(given["paper"])},
        timestamp=given["timestamp"],
        ignore_system_fonts=given.get("own_fonts_only", False),
    )
    return made if isinstance(made, list) else [made]


def main() -> int:
    """See the module."""
    try:
        (document,) = typeset(sys.stdin.buffer.read())
    except typst.TypstError as error:
        sys.stderr.write(f"{error.message} {' '.join(error.hints)}\n")
        return CANNOT_TYPESET
    except (ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return BAD_INPUT
    sys.stdout.buffer.write(document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
