"""Which operating-system account the embedded server runs as.

PostgreSQL refuses to run as root. When we are root, the server runs as an unprivileged account that exists
already: no account is made, and no directory is opened to others.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from enfilade.storage.errors import EmbeddedServerFault

CANDIDATES = ("enfilade", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run as; None for `uid` and `gid` means the user we already are."""

    name: str
    uid: int
    gid: int
    is_other: bool

    def own(self, path: Path, mode: int) -> None:
        """Give `path` to this account with `mode`."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


def choose_account(wanted: str | None, existing_data: Path) -> Account:
    """The account for a server whose files are, or will be, in `existing_data`.

    A cluster that exists keeps its owner. Raises EmbeddedServerFault when no account will do.
    """
    if os.geteuid() != 0:
        return Account(_current_name(), os.geteuid(), os.getegid(), is_other=False)
    if existing_data.exists() and (owner := existing_data.stat().st_uid) != 0:
        return _account_of(pwd.getpwuid(owner))
    for name in (wanted,) if wanted else CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return _account_of(entry)
    message = (
        f"PostgreSQL does not run as root, and there is no unprivileged account "
        f"({wanted or ' or '.join(CANDIDATES)}) to run it as. Run Enfilade as another user, or name an existing "
        "account in ENFILADE_POSTGRES_USER."
    )
    raise EmbeddedServerFault(message)


def _current_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        message = (
            f"The user id {os.geteuid()} has no entry in the password database, which PostgreSQL needs. "
            "Add one, or use a database of your own with ENFILADE_DATABASE_URL."
        )
        raise EmbeddedServerFault(message) from None


def _account_of(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, is_other=True)


def can_reach(account: Account, path: Path) -> bool:
    """Whether the account may enter every directory on the way to `path`, and `path` itself."""
    path = path.resolve()
    return all(_may_enter(account, step) for step in (path, *path.parents) if step.is_dir())


def _may_enter(account: Account, directory: Path) -> bool:
    status = directory.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
