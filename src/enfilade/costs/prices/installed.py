"""The price data that this installation carries, compiled by a process of its own."""

import asyncio
import sys
from importlib.metadata import version

from enfilade.costs.errors import PriceBookFault
from enfilade.costs.prices.book import PriceBook, decode_book

COMPILER = "enfilade.costs.prices.compile"
DEADLINE_S = 60


def book_version() -> str:
    """The version of the price data that is installed."""
    return f"genai-prices/{version('genai-prices')}"


async def compile_installed_book() -> PriceBook:
    """The book of the installed data. Raises PriceBookFault when it cannot be made."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", COMPILER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        message = f"The price data was not compiled within {DEADLINE_S} s."
        raise PriceBookFault(message) from None
    if process.returncode != 0:
        message = f"The price data cannot be compiled: {complaints.decode(errors='replace').strip()[-500:]}"
        raise PriceBookFault(message)
    return decode_book(output)
