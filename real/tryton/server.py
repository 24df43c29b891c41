"""Starts and stops Tryton: its virtual environment, its two databases, its one process.

Everything lies in one folder that the caller gives:

    venv/              Tryton and what it needs, at the versions of requirements.txt
    snapshots/<hash>/  both databases as they were right after the set-up, and the keys
    db/                the two databases that are served
    process.json       process id and port of the running server

The first start installs, initialises the modules once, sets the company up once, and copies the
file for the second database. Later starts copy the snapshot, or go on with what is in ``db/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import httpx

from real.tryton.company import (
    Catalogue,
    add_users,
    prefix_numbers,
    set_up,
)
from real.tryton.rpc import Tryton

ADMIN, ADMIN_PASSWORD = "admin", "admin-of-the-story"
CONNECTOR_PASSWORD = "connector-of-the-story"
# The WMS knows stock and packages; it has never heard of sales and invoices.
MODULES = {
    "erp": ("sale", "purchase", "account_invoice_stock"),
    "wms": ("stock_package_shipping",),
}
# So that people see from which system a number is; each database counts from 1.
PREFIXES = {
    "erp": {
        "Sale": "SO",
        "Purchase": "PO",
        "Customer Shipment": "ED",
        "Customer Return Shipment": "ER",
        "Supplier Shipment": "EG",
        "Internal Shipment": "EI",
        "Inventory": "EC",
        "Invoices": "IV",
    },
    "wms": {
        "Customer Shipment": "WD",
        "Customer Return Shipment": "WR",
        "Supplier Shipment": "WG",
        "Internal Shipment": "WI",
        "Inventory": "WC",
    },
}
START_SECONDS = 120.0
STOP_SECONDS = 20.0
_HERE = Path(__file__).resolve().parent

_CONFIGURATION = """\
[database]
uri = sqlite://
path = {folder}/db
[web]
listen = 127.0.0.1:{port}
root = {folder}/www
[session]
max_age = 31536000
timeout = 31536000
max_attempt = 1000
max_attempt_ip_network = 10000
[password]
length = 4
"""


class StartError(Exception):
    """Tryton could not be installed, initialised or started; the message says what to look at."""


@dataclass(frozen=True)
class Database:
    """One served database. ``keys`` are REST keys by login; user and password are for wizards."""

    url: str
    keys: dict[str, str]
    user: str = "connector"
    password: str = CONNECTOR_PASSWORD

    def admin(self) -> Tryton:
        """A session that may do anything: what the story's people use."""
        return Tryton(self.url, ADMIN, ADMIN_PASSWORD)


class TrytonServer:
    """One Tryton with the databases ``erp`` and ``wms``. A context manager that stops it."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self.folder = folder.resolve()
        self.catalogue = catalogue

    def __enter__(self) -> dict[str, Database]:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self, keep: bool = False) -> dict[str, Database]:
        """Start it and give both databases, ``erp`` and ``wms``, as right after the set-up.

        ``keep``: go on with what the databases hold since the last start, if they are there.
        Raises StartError.
        """
        self.stop()
        for name in ("db", "www", "snapshots"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._install()
        keys_file = self._snapshot / "keys.json"
        if not keys_file.is_file():
            self._make_snapshot()
        keys = json.loads(keys_file.read_text(encoding="utf-8"))
        served = self.folder / "db" / "snapshot.txt"
        kept = keep and served.is_file() and served.read_text() == self._snapshot.name
        if not kept:
            self._empty_databases()
            for name in keys:
                shutil.copyfile(self._snapshot / f"{name}.sqlite", self._file(name))
            served.write_text(self._snapshot.name, encoding="utf-8")
        port = self._serve(*keys)
        return {
            name: Database(f"http://127.0.0.1:{port}/{name}", held) for name, held in keys.items()
        }

    def stop(self) -> None:
        """Stop the process that ``start`` of this or an earlier program began."""
        process_file = self.folder / "process.json"
        if not process_file.is_file():
            return
        pid = json.loads(process_file.read_text(encoding="utf-8"))["pid"]
        process_file.unlink()
        if not self._is_ours(pid):
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_ours(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._is_ours(pid):
            os.kill(pid, signal.SIGKILL)

    # ---- installing ------------------------------------------------------------------------

    @property
    def _python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def _install(self) -> None:
        requirements = _HERE / "requirements.txt"
        wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
        stamp = self.folder / "venv" / "installed.txt"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return
        venv = self.folder / "venv"
        shutil.rmtree(venv, ignore_errors=True)
        if shutil.which("uv"):
            self._run("uv", "venv", "-q", "--python", sys.executable, str(venv))
            install = ["uv", "pip", "install", "-q", "--python", str(self._python)]
        else:
            self._run(sys.executable, "-m", "venv", str(venv))
            install = [str(self._python), "-m", "pip", "install", "-q"]
        self._run(*install, "--no-deps", "-r", str(requirements))
        stamp.write_text(wanted, encoding="utf-8")

    # ---- databases -------------------------------------------------------------------------

    def _file(self, database: str) -> Path:
        return self.folder / "db" / f"{database}.sqlite"

    def _empty_databases(self) -> None:
        for path in (self.folder / "db").iterdir():
            path.unlink()

    @property
    def _snapshot(self) -> Path:
        """Folder of the databases as set up; another one when anything changes that makes them."""
        digest = hashlib.sha256()
        for path in sorted(_HERE.iterdir()):
            if path.name in ("requirements.txt", "company.py", "server.py"):
                digest.update(path.read_bytes())
        catalogue = json.dumps(asdict(self.catalogue), sort_keys=True, default=str)
        digest.update(catalogue.encode())
        # The books are open from last year to next year.
        digest.update(str(date.today().year).encode())
        return self.folder / "snapshots" / digest.hexdigest()[:16]

    def _make_snapshot(self) -> None:
        self._empty_databases()
        for name, modules in MODULES.items():
            self._initialise(name, modules)
        base = f"http://127.0.0.1:{self._serve(*MODULES)}"
        keys = {}
        for name in MODULES:
            tryton = Tryton(f"{base}/{name}", ADMIN, ADMIN_PASSWORD)
            set_up(tryton, self.catalogue, date.today())
            keys[name] = add_users(tryton, CONNECTOR_PASSWORD)
            prefix_numbers(tryton, PREFIXES[name])
            tryton.close()
        self.stop()
        shutil.rmtree(self._snapshot, ignore_errors=True)
        self._snapshot.mkdir(parents=True)
        for name in keys:
            _copy_database(self._file(name), self._snapshot / f"{name}.sqlite")
        # Last, because it says that the snapshot is whole.
        (self._snapshot / "keys.json").write_text(json.dumps(keys), encoding="utf-8")

    def _initialise(self, database: str, modules: tuple[str, ...]) -> None:
        self._file(database).touch()
        password = self.folder / "password.txt"
        password.write_text(ADMIN_PASSWORD, encoding="utf-8")
        self._run(
            *(str(self._python), "-m", "trytond.cli.admin", "-c", str(self._configure(0))),
            *("-d", database, "--email", "admin@example.org", "--activate-dependencies"),
            *("-u", "ir", "res", *modules),
            TRYTONPASSFILE=str(password),
        )

    # ---- process ---------------------------------------------------------------------------

    def _configure(self, port: int) -> Path:
        path = self.folder / "trytond.conf"
        path.write_text(_CONFIGURATION.format(folder=self.folder, port=port), encoding="utf-8")
        return path

    def _serve(self, *databases: str) -> int:
        port = _free_port()
        command = [str(self._python), "-m", "trytond.cli", "-c", str(self._configure(port))]
        log = self.folder / "trytond.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        state = {"pid": process.pid, "port": port}
        (self.folder / "process.json").write_text(json.dumps(state), encoding="utf-8")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StartError(f"trytond ended with {process.returncode}: see {log}")
            if is_healthy(f"http://127.0.0.1:{port}"):
                for database in databases:
                    _wake(f"http://127.0.0.1:{port}/{database}")
                return port
            time.sleep(0.1)
        self.stop()
        raise StartError(f"trytond gave no answer within {START_SECONDS:g} s: see {log}")

    def _is_ours(self, pid: int) -> bool:
        """Whether a process is our server: ids are used again."""
        try:
            finished, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            finished = 0
        if finished:
            return False
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return str(self.folder / "trytond.conf").encode() in command

    def _run(self, *command: str, **environment: str) -> None:
        finished = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if finished.returncode:
            told = finished.stdout.strip().splitlines()[-15:]
            raise StartError(f"'{' '.join(command)}' failed:\n" + "\n".join(told))


def is_healthy(base_url: str) -> bool:
    """Whether a Tryton answers there."""
    body = {"id": 0, "method": "common.server.version", "params": []}
    try:
        answer = httpx.post(f"{base_url}/rpc/", json=body, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success and "result" in answer.json()


def _wake(database_url: str) -> None:
    """Let Tryton load a database. A login does not, and option -d loads one of several twice; any
    request of the REST interface does, also one that is refused."""
    answer = httpx.get(f"{database_url}/rest/model/ir.lang", timeout=START_SECONDS, trust_env=False)
    if answer.status_code != httpx.codes.UNAUTHORIZED:
        raise StartError(f"{database_url} answered {answer.status_code}: {answer.text[:300]}")


def _copy_database(source: Path, target: Path) -> None:
    """One consistent file of a database that is being served."""
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(source)
    try:
        connection.execute("vacuum into ?", (str(target),))
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
