"""An inbox of carriers' payloads, beside karrio's parsers of them and the mere JSON of them.

Karrio (LGPL) runs in the virtual environment that tests/carriers makes; without one only the JSON
is compared. It reads fewer shapes than we do, so all are given those whose every event it reads.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.connectors import Case
from connectors.carrier_tracking.source import ENTITY, InboxSource
from registry.systems import System

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAYLOADS = ROOT / "tests" / "carriers" / "payloads"
# Payload -> (carrier, tracking number in it).
SHARED = {
    "usps": ("usps", "9400100000000000000001"),
    "dhl_unified": ("dhl_unified", "00340434292135100124"),
    "easypost": ("easypost", "9400110898825022579493"),
}


def cases(records: int, folder: Path) -> Iterator[Case]:
    handed: list[tuple[str, str, str]] = []
    texts = {name: (PAYLOADS / f"{name}.json").read_text(encoding="utf-8") for name in SHARED}
    for copy in range(records // 11):
        for name, (carrier, number) in SHARED.items():
            other = f"{number}{copy:06d}"
            line = json.dumps(json.loads(texts[name].replace(number, other)))
            handed.append((carrier, other, line))
    inbox = folder / "inbox"
    inbox.mkdir()
    (inbox / "all.ndjson").write_text("\n".join(line for *_, line in handed), encoding="utf-8")
    (folder / "handed.json").write_text(json.dumps(handed), encoding="utf-8")
    total = _ours(folder)
    yield Case("ours, files to records", partial(_ours, folder))
    for python in sorted((ROOT / ".venvs").glob("karrio-*/bin/python")):
        yield Case("karrio, payloads to tracking details", partial(_karrio, python, folder))
    yield Case("json.loads of every payload", partial(_json, folder, total))


def _ours(folder: Path) -> int:
    system = System(
        name="parcels",
        role="carrier",
        connector="carrier_tracking",
        base_url="inbox",
        folder=folder,
    )
    return sum(len(page.records) for page in InboxSource(system).pages(ENTITY, None))


def _karrio(python: Path, folder: Path) -> tuple[int, float]:
    done = subprocess.run(
        [python, HERE / "karrio_rate.py", folder / "handed.json"],
        check=True,
        capture_output=True,
        text=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["events"], answer["seconds"]


def _json(folder: Path, total: int) -> int:
    with (folder / "inbox" / "all.ndjson").open(encoding="utf-8") as handle:
        for line in handle:
            json.loads(line)
    return total
