"""Processes of third-party systems: made ready, started in the background, found again, ended."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

LOG_TAIL_LINES = 30
POLL_SECONDS = 0.1


class RealSystemError(RuntimeError):
    """A third-party system could not be started, stopped or driven; the text says what to do."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kept_port(folder: Path, name: str) -> int:
    """The port of a service that is to keep it over restarts, from ``folder/<name>.port``."""
    path = folder / f"{name}.port"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(str(free_port()), encoding="utf-8")
    return int(path.read_text(encoding="utf-8"))


def program(name: str, remedy: str) -> str:
    """The path of an installed program; raises RealSystemError with the remedy if absent."""
    found = shutil.which(name)
    if found is None:
        raise RealSystemError(f"no program '{name}' on this machine: {remedy}")
    return found


def run(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> str:
    """Run to the end and return what was printed; raises RealSystemError with its last lines."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **_identity(user),
        )
    except PermissionError as error:
        raise _unreachable_for(user, folder) from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-LOG_TAIL_LINES:])
        raise RealSystemError(f"{Path(str(command[0])).name} failed in {folder}:\n{last}")
    return done.stdout


def made_once(folder: Path, content: str, make: Callable[[], None]) -> None:
    """Call ``make`` unless it has already succeeded in this folder for this very content."""
    stamp = folder / ".made-for"
    wanted = hashlib.sha256(content.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    make()
    stamp.write_text(wanted, encoding="utf-8")


def virtual_environment(folder: Path, requirements: Sequence[str]) -> Path:
    """A virtual environment with exact requirements, made once; returns its ``python``."""
    python = folder / "bin" / "python"

    def make() -> None:
        run([sys.executable, "-m", "venv", "--clear", folder], folder.parent)
        run([python, "-m", "pip", "install", "-q", *_PIP_OPTIONS, *requirements], folder.parent)

    made_once(folder, "\n".join([sys.version, *requirements]), make)
    return python


_PIP_OPTIONS = ("--disable-pip-version-check", "--no-input")


class Daemon:
    """A process in the background that outlives us, known by ``folder/<name>.pid``.

    Some argument of its command must hold a path under the folder: that is how a process that got
    the number of a dead one is told from ours.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"

    def start(
        self,
        command: Sequence[str | Path],
        is_ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        timeout_seconds: float = 120,
    ) -> None:
        """Start it unless it runs, and wait until it is ready; raises RealSystemError."""
        process = None if self.is_running() else self._launch(command, environment, user)
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            # Of a process that has only just begun, the system may not tell the command yet.
            if process.poll() is not None if process else not self.is_running():
                raise RealSystemError(f"{self.name} ended while it started:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                self.stop()
                raise RealSystemError(
                    f"{self.name} was not ready after {timeout_seconds:g} s:\n{self._last_lines()}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout_seconds: float = 20) -> None:
        """End it if it runs; killed when it does not end in time."""
        pid = self._pid()
        if pid is not None:
            os.kill(pid, how)
            deadline = time.monotonic() + timeout_seconds
            while self._pid() is not None and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            if self._pid() is not None:
                os.kill(pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        return self._pid() is not None

    def _launch(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None,
        user: str | None,
    ) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    [str(part) for part in command],
                    cwd=self.folder,
                    env={**os.environ, **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    **_identity(user),
                )
            except PermissionError as error:
                raise _unreachable_for(user, self.folder) from error
        self._pid_file.write_text(str(process.pid), encoding="utf-8")
        return process

    def _pid(self) -> int | None:
        """The number of the process while it lives."""
        try:
            pid = int(self._pid_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        # Collected if it is a child of ours that has ended: a zombie would seem to live.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return pid if str(self.folder) in _command_line(pid) else None

    def _last_lines(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def unprivileged_user() -> str | None:
    """Whom to run as what refuses to run as root; None when we are not root."""
    return "nobody" if os.geteuid() == 0 else None


def can_enter(user: str | None, folder: Path) -> bool:
    """Whether a user may go into a folder that exists; None is we ourselves."""
    asked = ["sh", "-c", 'test -x "$1"', "sh", str(folder)]
    return subprocess.run(asked, cwd="/", check=False, **_identity(user)).returncode == 0


def give_to(user: str, folder: Path) -> None:
    """Make a user the owner of a folder and all that is in it; for root only."""
    entry = pwd.getpwnam(user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _identity(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _unreachable_for(user: str | None, folder: Path) -> RealSystemError:
    return RealSystemError(
        f"user '{user or pwd.getpwuid(os.geteuid()).pw_name}' may not run programs in {folder}: "
        f"choose a state folder that all users can reach, or do not run as root"
    )


def _command_line(pid: int) -> str:
    """What a process was started with; empty when there is none."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout
