"""`tallyman dev`: the pretend distributor in this process, `dagster dev` as a child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from orchestration.installation import Installation
from orchestration.passes import open_instance
from orchestration.pretend import pretend_distributor
from registry.settings import PROJECT_ROOT


def run_dev(
    home: Path, port: int, ui_port: int, orders: int, progress: Callable[[str], None]
) -> None:
    """Serve until interrupted. Schedules and sensors are on, so exceptions appear by themselves."""
    progress("starting the pretend distributor")
    with pretend_distributor(home, port, orders=orders) as (settings, handle):
        with open_instance(Installation.load(settings)):
            pass  # writes dagster.yaml on first use
        for name, url in handle.urls.items():
            progress(f"{name:8} {url}")
        environment = {
            **settings.environment,
            "DAGSTER_HOME": str(settings.dagster_home),
            "TALLYMAN_HOME": str(settings.home),
            "TALLYMAN_SYSTEMS": str(settings.systems_file),
            "TALLYMAN_AUTOMATIONS": "on",
            "PYTHONWARNINGS": "ignore",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        command = [
            sys.executable,
            "-m",
            "dagster",
            "dev",
            "--workspace",
            str(PROJECT_ROOT / "workspace.yaml"),
            "--host",
            "127.0.0.1",
            "--port",
            str(ui_port),
            "--log-level",
            "warning",
        ]
        progress(f"Dagster UI: http://127.0.0.1:{ui_port}   (Ctrl-C stops everything)")
        progress(f"look at an order, break it: {handle.urls['admin']}/")
        child = subprocess.Popen(command, env=environment, cwd=PROJECT_ROOT)
        # `kill` and a closed terminal must not leave the UI running without its systems.
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.default_int_handler)
        try:
            child.wait()
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            child.wait(timeout=30)
