"""Documents as PDF: typeset by a process of its own, because the typesetter is large and its input is not ours."""

import asyncio
import sys
from datetime import datetime

import msgspec

from enfilade.costs.billing.paper import Paper
from enfilade.costs.errors import TypesettingFailed

TYPESETTER = "enfilade.costs.billing.typeset"
DEADLINE_S = 60.0
AT_ONCE = 2
MAX_LINES = 50_000


class Typesetter:
    """Makes PDFs, a few at a time."""

    def __init__(self, module: str = TYPESETTER, deadline_s: float = DEADLINE_S) -> None:
        """Run `module` for each document, and end it after `deadline_s`."""
        self._module = module
        self._deadline_s = deadline_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def pdf(self, paper: Paper) -> bytes:
        """The same bytes for the same document, as long as the fonts are the same. Raises TypesettingFailed."""
        if len(paper.lines) > MAX_LINES:
            message = f"The document has {len(paper.lines)} lines; a PDF holds {MAX_LINES} at most. Take the CSV."
            raise TypesettingFailed(message)
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                async with asyncio.timeout(self._deadline_s):
                    output, complaints = await process.communicate(request_of(paper))
            except TimeoutError:
                message = f"The document was not typeset within {self._deadline_s:g} s."
                raise TypesettingFailed(message) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0 or not output.startswith(b"%PDF-"):
            said = complaints.decode(errors="replace").strip()[-500:]
            message = f"The document cannot be typeset: {said or f'exit code {process.returncode}'}"
            raise TypesettingFailed(message)
        return output


def request_of(paper: Paper) -> bytes:
    """What the typesetter reads; a statement's or an invoice's own time makes its bytes repeatable."""
    moment = datetime.fromisoformat(paper.issued_at)
    return msgspec.json.encode({"paper": paper, "timestamp": int(moment.timestamp())})
