"""Start a real PostgreSQL for the tests: a cluster in a folder of its own, on a free port of loopback, gone afterwards.

PostgreSQL refuses to run as root; there it runs as the user `postgres`, whom Debian's package makes.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tierwise.core.secret import Secret
from tierwise.postgres.connect import Place

USER = "tierwise"
START_TIMEOUT_S = 60.0


def binaries() -> Path | None:
    """Return the folder of the newest installed server, None where there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def missing() -> str | None:
    """Say why no server can be started here, None if one can."""
    try:
        import asyncpg  # noqa: F401
    except ImportError:
        return "asyncpg is not installed (the extra `postgres`)"
    if binaries() is None:
        return "no PostgreSQL server is installed: on Debian, apt install postgresql"
    if os.geteuid() == 0 and _owner() is None:
        return "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as"
    return None


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _owner() -> tuple[int, int] | None:
    import pwd

    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


class Server:
    """A running server; `database()` makes a fresh database and says where it is."""

    def __init__(self) -> None:
        found = binaries()
        assert found is not None, missing()
        self._bin, self._count = found, 0
        self._owner = _owner() if os.geteuid() == 0 else None
        # Not pytest's folder: what is above that is closed to the user whom the server runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="tierwise-pg-"))
        self.data = self.folder / "data"
        self.password = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.folder / "password").write_text(self.password)
        if self._owner:
            for path in (self.folder, self.folder / "password"):
                os.chown(path, *self._owner)
        self._run("initdb", "-D", str(self.data), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C",
                  "--no-sync", f"--pwfile={self.folder / 'password'}")  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        }
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self.data, *arguments], **self._as_owner(), stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while "ready" not in self._status():
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)

    def stop(self, *, hard: bool = False) -> None:
        """Stop it, ending every connection; `hard` as a crash would (it recovers at the next start)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if hard else signal.SIGINT)
        self._process.wait(START_TIMEOUT_S)

    def close(self) -> None:
        """Stop it for good."""
        self.stop(hard=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> Place:
        """Make an empty database and return where it is."""
        self._count += 1
        name = f"ledger{self._count}"
        self.sql(f"CREATE DATABASE {name}", "postgres")
        return self.place(name)

    def place(self, name: str) -> Place:
        """Return where a database of this server is."""
        return Place(user=USER, host="127.0.0.1", port=self.port, database=name, password=Secret(self.password))

    def sql(self, statement: str, database: str) -> str:
        """Run a statement as the superuser and return what it says."""
        done = subprocess.run(
            [self._bin / "psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database,
             "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={**os.environ, "PGPASSWORD": self.password}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def _status(self) -> str:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return ""
        return lines[7] if len(lines) > 7 else ""

    def _as_owner(self) -> dict[str, object]:
        if self._owner is None:
            return {}
        return {"user": self._owner[0], "group": self._owner[1], "extra_groups": [], "cwd": self.folder}

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], **self._as_owner(), capture_output=True, text=True, check=False
        )  # type: ignore[call-overload]
        assert done.returncode == 0, done.stdout + done.stderr
