"""Writing a plan to a folder, block by block, by as many processes as there are processors.

manifest.json                        what it is and how much of it; written last
order_events/part-00000.parquet      the events, as connector `files` reads them
oms/orders/part-00000.ndjson         documents of the dialect, in the order of its list or feed
oms/orders/part-00000.npy            where each document ends, and the key to go on from
and so for what else OMS, ERP, WMS and carrier have
systems.toml, order_events.mapping.yaml, contracts/files/order_events.yaml, home/secrets.env
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.errors import SandboxError
from sandbox.scale.dialects import block_documents, master_data
from sandbox.scale.documents import Documents
from sandbox.scale.draw import draw_block
from sandbox.scale.event_log import event_table
from sandbox.scale.feed_files import write_feed
from sandbox.scale.plan import STATES, ScalePlan
from sandbox.scale.text import content

MANIFEST = "manifest.json"
FORMAT = 2


def write_scale(plan: ScalePlan, out: Path, workers: int | None = None) -> dict[str, Any]:
    """Write a plan; returns the manifest. Raises SandboxError when the folder is not empty."""
    if out.is_dir() and any(out.iterdir()):
        raise SandboxError(f"{out} is not empty: remove it or choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    counts: Counter[str] = Counter()
    for documents in master_data(plan):
        counts.update(_write_documents(documents, out, 0))
    for written in _blocks(plan, out, workers or os.cpu_count() or 1):
        counts.update(written)
    write_feed(out)
    states = {state: counts.pop(f"state {state}", 0) for state in STATES}
    manifest = {
        "format": FORMAT,
        "plan": asdict(plan),
        "counts": dict(sorted(counts.items())),
        "states": states,
        "bytes": sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest | {"seconds": time.monotonic() - started}


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a folder. Raises SandboxError when it is not there, or not ours."""
    try:
        manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise SandboxError(
            f"{out} holds no complete scale data ({error}): write it with"
            f" `tallyman sandbox scale --events N --out {out}`"
        ) from None
    if manifest.get("format") != FORMAT:
        raise SandboxError(f"{out} is of another version: write it again")
    return manifest


def _blocks(plan: ScalePlan, out: Path, workers: int) -> Iterator[dict[str, int]]:
    if workers == 1 or plan.blocks == 1:
        yield from (write_block(plan, out, number) for number in range(plan.blocks))
        return
    # A fresh interpreter each: a fork would take the threads of Arrow along as they stand.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, plan.blocks), context, pa.set_cpu_count, (1,)) as pool:
        yield from pool.map(partial(write_block, plan, out), range(plan.blocks))


def write_block(plan: ScalePlan, out: Path, number: int) -> dict[str, int]:
    """Write one block; returns how many of what."""
    block = draw_block(plan, number)
    events = event_table(block)
    folder = out / "order_events"
    folder.mkdir(exist_ok=True)
    pq.write_table(
        events,
        folder / f"part-{number:05}.parquet",
        compression="zstd",
        compression_level=1,
        use_dictionary=["order_number", "kind", "scan_code", "document", "lines"],
        store_schema=False,
    )
    counts = {"order_events": events.num_rows, "order_lines": len(block.lines.order)}
    for code, amount in enumerate(np.bincount(block.state, minlength=len(STATES))):
        counts[f"state {STATES[code]}"] = int(amount)
    for documents in block_documents(block):
        counts |= _write_documents(documents, out, number)
    return counts


def _write_documents(documents: Documents, out: Path, number: int) -> dict[str, int]:
    folder = out / documents.system / documents.entity
    folder.mkdir(parents=True, exist_ok=True)
    data, ends = content(documents.texts)
    with (folder / f"part-{number:05}.ndjson").open("wb") as handle:
        handle.write(data)
    np.save(folder / f"part-{number:05}.npy", np.stack([ends, documents.keys.astype(np.int64)]))
    return {f"{documents.system}.{documents.entity}": len(documents.texts)}
