"""``python -m real.vendure start|stop|status|remove FOLDER``: a Vendure by hand."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from real.vendure.server import VendureServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m real.vendure", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status", "remove"])
    parser.add_argument("folder", type=Path, help="where everything is kept")
    asked = parser.parse_args()
    server = VendureServer(asked.folder)
    match asked.action:
        case "start":
            print(json.dumps(asdict(server.start()), indent=2))
        case "stop":
            server.stop()
        case "status":
            print("running" if server.is_healthy() else "not running")
        case "remove":
            server.remove()


if __name__ == "__main__":
    main()
