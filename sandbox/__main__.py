"""``python -m sandbox``: the pretend distributor in the foreground."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.server import run_forever
from sandbox.worldfile import read_world


def main() -> int:
    """Parse the command line and serve. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".tallyman/sandbox"))
    parser.add_argument("--base-port", type=int, default=8800, help="0: any free ports")
    parser.add_argument("--world", default="demo", help="a world file, or the name of a world")
    parser.add_argument("--orders", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--live", type=float, help="go on, this many times as fast as real time")
    parser.add_argument("--faults-per-kind", type=int)
    parser.add_argument("--decoys-per-kind", type=int)
    given = vars(parser.parse_args())
    home, base_port, world = given.pop("home"), given.pop("base_port"), given.pop("world")
    try:
        run_forever(home, base_port, read_world(world, **given))
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
