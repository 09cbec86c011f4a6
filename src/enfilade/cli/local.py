"""What the command line does to a database directly, without a server."""

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.process import bring_up, shut
from enfilade.bootstrap.up import database, ingredients, make_first_key
from enfilade.cli.output import note
from enfilade.cli.starting import settings_with


async def first_key(data: str | None, name: str) -> str:
    """Make an owner's key for the platform. Raises what reaching the database raises."""
    settings = settings_with(data=data)
    async with database(settings, note) as address:
        parts = Parts(ingredients(settings, address, None))
        try:
            await bring_up(parts, migrates=False)
            secret = await make_first_key(parts, always=True, name=name)
        finally:
            await shut(parts)
    assert secret is not None
    return secret
