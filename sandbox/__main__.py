"""``python -m sandbox``: the pretend distributor in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.server import run_forever
from sandbox.settings import Settings


def main() -> int:
    """Parse the command line and serve. Returns the exit code."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".tallyman/sandbox"))
    parser.add_argument("--base-port", type=int, default=8800, help="0: any free ports")
    parser.add_argument("--orders", type=int, default=defaults.orders)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--faults-per-kind", type=int, default=defaults.faults_per_kind)
    parser.add_argument("--decoys-per-kind", type=int, default=defaults.decoys_per_kind)
    given = parser.parse_args()
    settings = Settings(
        seed=given.seed,
        orders=given.orders,
        faults_per_kind=given.faults_per_kind,
        decoys_per_kind=given.decoys_per_kind,
    )
    try:
        run_forever(given.home, given.base_port, settings)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
