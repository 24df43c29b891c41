"""How long karrio takes for payloads: a program for the Python that has it, not a module.

Argument: a file with ``[[carrier, tracking number, text of the payload], ...]``. Writes
``{"events": n, "seconds": s}``; what is imported and made before the first payload does not count.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "carriers"))

from karrio_oracle import events_of

if __name__ == "__main__":
    cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for carrier, number, text in {case[0]: case for case in cases}.values():
        events_of(carrier, number, json.loads(text))
    started = time.perf_counter()
    events = sum(
        len(events_of(carrier, number, json.loads(text))) for carrier, number, text in cases
    )
    json.dump({"events": events, "seconds": time.perf_counter() - started}, sys.stdout)
