"""Archives of tenants on this machine: what they say of themselves, checked without a server."""

import base64
from pathlib import Path
from typing import Any

from enfilade.identity.archive_trust import public_key_of
from enfilade.identity.errors import UntrustedArchive
from enfilade.sealing.signing import key_name, signer_of
from enfilade.storage.moving.unpacking import open_archive


def check(path: Path, trusted_key: str | None = None) -> dict[str, Any]:
    """What an archive holds, after all of it was read. Raises ArchiveFault, UntrustedArchive, InvalidSpecification."""
    with path.open("rb") as file:
        archive = open_archive(file)
        signer = None if archive.signature is None else signer_of(archive.said, archive.signature)
        if archive.signature is not None and signer is None:
            message = "The archive was altered: its signature is not one of its manifest."
            raise UntrustedArchive(message)
        if trusted_key is not None and signer != public_key_of(trusted_key):
            message = "The archive was not signed by the trusted key."
            raise UntrustedArchive(message)
        archive.check()
        header, manifest = archive.header, archive.manifest
        return {
            "tenant": header.tenant["name"],
            "id": archive.tenant,
            "isolation": header.tenant["isolation"],
            "written_at": header.written_at,
            "enfilade": header.enfilade,
            "rows": manifest.rows,
            "tables": {name: rows for name, rows in manifest.tables.items() if rows},
            "last_event": manifest.last_event,
            "sealed_keys": len(header.keys),
            "signed_by": None if signer is None else key_name(signer),
            "public_key": None if signer is None else base64.b64encode(signer).decode(),
        }
