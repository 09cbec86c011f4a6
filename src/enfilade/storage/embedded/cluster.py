"""The files of one embedded cluster, and the commands that make and run it."""

import contextlib
import ctypes
import hashlib
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from enfilade.storage.address import SOCKET_PORT, Address, socket_address
from enfilade.storage.embedded.account import Account, can_reach, choose_account
from enfilade.storage.embedded.binaries import Binaries, find_binaries
from enfilade.storage.errors import EmbeddedServerFault

OWNER = "enfilade"
DATABASE = "enfilade"
MAX_SOCKET_PATH = 100
"""Unix socket addresses hold about 107 bytes; the file name takes the rest."""
MAX_LOG_BYTES = 16_000_000
PR_SET_PDEATHSIG = 1

SETTINGS = {
    "listen_addresses": "",
    "port": str(SOCKET_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_locks_per_transaction": "256",  # making a schema takes nine hundred, and several are made at once
    "dynamic_shared_memory_type": "mmap",  # containers often have a tiny /dev/shm
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
    "restart_after_crash": "on",
}
SETTINGS_BY_VERSION = {18: {"io_method": "sync"}}


class Cluster:
    """A cluster's place on disk. Not safe to use without holding the data directory's lock."""

    def __init__(self, data: Path, account_name: str | None) -> None:
        """Describe the cluster under `data`; nothing is made yet."""
        self._root = data
        self._files = data / "postgres"
        self.log_path = data / "postgres.log"
        self._account_name = account_name
        self._account: Account | None = None
        self._binaries: Binaries | None = None
        self._descriptor: int | None = None
        self._socket_directory: Path | None = None

    @property
    def address(self) -> Address:
        """How the owner reaches the server."""
        return socket_address(str(self._require_socket_directory()), OWNER, self._password(), DATABASE)

    @property
    def version(self) -> int:
        """The major version of the server."""
        return self._require_binaries().version

    def prepare(self) -> None:
        """Find the programs, make the cluster if there is none, and a private place for its socket.

        Raises EmbeddedServerFault with what to do when any of this is impossible here.
        """
        self._account = choose_account(self._account_name, self._files)
        self._binaries = find_binaries(self._files, self._account)
        self._socket_directory = self._make_socket_directory()
        if not (self._files / "PG_VERSION").exists():
            self._require_empty()
            self._initialise()
        self._descriptor = os.open(self._files, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._rotate_log()

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the server. It must be called from the main thread.

        The kernel ties the parent-death signal to the thread that made the child, so a child of a worker thread
        would be stopped when that thread ends.
        """
        settings = SETTINGS | SETTINGS_BY_VERSION.get(self.version, {})
        settings["unix_socket_directories"] = str(self._require_socket_directory())
        command = [self._require_binaries().program("postgres"), "-D", self._path_for_server()]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self._process_options()
            )

    def server_process(self) -> int | None:
        """The process id of a server that still runs on these files, if any.

        A zombie (an ended server that nobody reaped, as in containers without an init process) or a stranger that
        got the number after a reboot, another PostgreSQL server even, is not our server, but PostgreSQL would refuse to start beside it: the mark is
        removed here, which the data directory's lock makes safe.
        """
        mark = self._files / "postmaster.pid"
        try:
            pid = int(mark.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        if _is_running_postgres(pid, self._files):
            return pid
        mark.unlink(missing_ok=True)
        return None

    def last_words(self) -> str:
        """The end of the server's log, for an error message."""
        try:
            lines = self.log_path.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-3:])

    def close(self) -> None:
        """Forget the open directory and remove the socket's place."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        # Only what was made here is removed: a start that failed earlier has made nothing.
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None

    def _require_empty(self) -> None:
        if self._files.exists() and any(self._files.iterdir()):
            message = (
                f"{self._files} holds something, but no PG_VERSION: it is a damaged cluster, or none. Restore it from a "
                "backup, or choose another directory with --data."
            )
            raise EmbeddedServerFault(message)

    def _require_binaries(self) -> Binaries:
        if self._binaries is None or self._account is None:
            message = "the cluster was not prepared"
            raise RuntimeError(message)
        return self._binaries

    def _require_socket_directory(self) -> Path:
        if self._socket_directory is None:
            message = "the cluster was not prepared"
            raise RuntimeError(message)
        return self._socket_directory

    def _password(self) -> str:
        path = self._root / "owner.password"
        if not path.exists():
            # Written aside first: a process that is killed here must not leave half a password.
            staging = path.with_suffix(".new")
            staging.unlink(missing_ok=True)
            descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
            staging.rename(path)
        return path.read_text().strip()

    def _initialise(self) -> None:
        account = self._account
        assert account is not None
        staging = self._root / "postgres.new"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        account.own(staging, 0o700)
        password_file = self._require_socket_directory() / "initial-password"
        password_file.write_text(self._password())
        account.own(password_file, 0o400)
        self._descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        command = [
            *(self._require_binaries().program("initdb"), "-D", self._path_for_server(staging), "-U", OWNER),
            *("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C.UTF-8"),
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command, capture_output=True, check=False, timeout=120, **self._process_options()
            )
        finally:
            password_file.unlink()
            os.close(self._descriptor)
            self._descriptor = None
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip()[-800:]
            message = f"PostgreSQL could not make a cluster in {self._files}: {words}"
            raise EmbeddedServerFault(message)
        staging.rename(self._files)

    def _path_for_server(self, directory: Path | None = None) -> str:
        directory = directory or self._files
        assert self._account is not None
        if can_reach(self._account, directory.parent):
            return str(directory.resolve())
        # The way to the directory is closed to the server's account, and opening it to everybody would be wrong.
        # A descriptor that we opened leads there without passing through the closed directories.
        if not Path("/proc/self/fd").exists():
            message = (
                f"The account {self._account.name} cannot enter {directory.parent}. Choose a data directory that it can "
                "reach with --data, or run Enfilade as a user other than root."
            )
            raise EmbeddedServerFault(message)
        return f"/proc/self/fd/{self._descriptor}"

    def _process_options(self) -> dict[str, Any]:
        account = self._account
        assert account is not None
        options: dict[str, Any] = {
            "cwd": "/",
            "env": {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath},
            "preexec_fn": _die_with_parent(),
            "umask": 0o077,
            # Ctrl-C at a terminal signals a whole group: the server must outlive the calls that are still running.
            "start_new_session": True,
        }
        if self._descriptor is not None:
            options["pass_fds"] = (self._descriptor,)
        if account.is_other:
            options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
        return options

    def _make_socket_directory(self) -> Path:
        assert self._account is not None
        digest = hashlib.sha256(str(self._root.resolve()).encode()).hexdigest()[:12]
        for base in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - created privately below
            path = base / f"enfilade-{os.geteuid()}-{digest}"
            if len(str(path)) > MAX_SOCKET_PATH or not can_reach(self._account, base):
                continue
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), self._account.uid}:
                message = f"{path} exists and belongs to somebody else. Remove it, or set TMPDIR to another directory."
                raise EmbeddedServerFault(message)
            self._account.own(path, 0o700)
            return path
        message = (
            f"The path of {tempfile.gettempdir()} is too long or too private for a socket. Set TMPDIR to a short path."
        )
        raise EmbeddedServerFault(message)

    def _rotate_log(self) -> None:
        if self.log_path.exists() and self.log_path.stat().st_size > MAX_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))


def _is_running_postgres(pid: int, files: Path) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        # A server works in its data directory: one that works elsewhere is somebody else's, and must be left alone.
        return files.samefile(process.cwd())
    except (psutil.Error, OSError):
        return False


def _die_with_parent() -> Callable[[], None] | None:
    """What the child runs before it becomes the server: ask the kernel for a fast shutdown when we die."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)  # The parent died before the signal was armed.

    return arm
