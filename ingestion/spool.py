"""Extractions on their way to the warehouse: ``<home>/spool/<system>/<extraction id>/``.

A folder holds one Parquet file an entity, one each for quarantine, missing records, withdrawn
containers and unread records, and ``manifest.json``, which is written last: with it the folder is a
whole extraction that can be landed at any time, without it the process died while reading and the
folder is thrown away.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from filelock import FileLock, Timeout

from ingestion.report import EntityReport, Extracted
from registry.settings import Settings

MANIFEST = "manifest.json"
QUARANTINE = "_quarantine"
MISSING = "_missing"
WITHDRAWN = "_withdrawn"
UNREAD = "_unread"
LANDING_ATTEMPTS = 3
_ATTEMPTS = "attempts"


def system_folder(settings: Settings, system: str) -> Path:
    return settings.home / "spool" / system


class SpoolWriter:
    """Writes one extraction. Leave the block by ``finish``, or the folder is removed."""

    def __init__(self, settings: Settings, system: str, extraction_id: str, run_id: str) -> None:
        self.folder = system_folder(settings, system) / extraction_id
        self._system = system
        self._extraction_id = extraction_id
        self._run_id = run_id
        self._writers: dict[str, pyarrow.parquet.ParquetWriter] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> SpoolWriter:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # Tells another process that this folder is not left over from a dead one; before there is
        # a folder, or it would be taken for one.
        self._stack.enter_context(FileLock(str(_lock_path(self.folder))).acquire(timeout=0))
        self.folder.mkdir()
        return self

    def write(self, name: str, table: pa.Table) -> None:
        """Append rows to one file. Empty tables leave no file."""
        if not table.num_rows:
            return
        writer = self._writers.get(name)
        if writer is None:
            path = self.folder / f"{name}.parquet"
            writer = pyarrow.parquet.ParquetWriter(path, table.schema, compression="zstd")
            self._writers[name] = writer
        writer.write_table(table)

    def finish(self, entities: tuple[EntityReport, ...]) -> Extracted:
        """Close the files and declare the extraction whole."""
        self._close_files()
        content = {
            "system": self._system,
            "extraction_id": self._extraction_id,
            "run_id": self._run_id,
            "entities": [entity.as_json() for entity in entities],
        }
        partial = self.folder / f"{MANIFEST}.partial"
        with partial.open("w", encoding="utf-8") as handle:
            json.dump(content, handle)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(self.folder / MANIFEST)
        return Extracted(self._system, self._extraction_id, self._run_id, self.folder, entities)

    def __exit__(self, *_: object) -> None:
        self._close_files()
        self._stack.close()
        if not (self.folder / MANIFEST).exists():
            remove(self.folder)

    def _close_files(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def remove(folder: Path) -> None:
    """Remove an extraction's folder; the manifest first, so that a crash leaves no half of one."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    _lock_path(folder).unlink(missing_ok=True)


def waiting(settings: Settings, system: str) -> Iterator[Extracted]:
    """Whole extractions of a system, oldest first. Folders of processes that died are removed."""
    parent = system_folder(settings, system)
    folders = sorted(path for path in parent.glob("*") if path.is_dir())
    for folder in folders:
        extracted = read(folder)
        if extracted is not None:
            yield extracted
        elif not _being_written(folder):
            remove(folder)


def read(folder: Path) -> Extracted | None:
    """The extraction in a folder, or None when it is not whole."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        return None
    entities = tuple(EntityReport.from_json(entity) for entity in content["entities"])
    return Extracted(
        content["system"], content["extraction_id"], content["run_id"], folder, entities
    )


def count_attempt(folder: Path) -> int:
    """Note that landing this extraction is tried; returns how often, this time included."""
    path = folder / _ATTEMPTS
    told = path.read_text(encoding="utf-8") if path.exists() else ""
    # A full disk may have left it empty.
    number = int(told) + 1 if told.isdecimal() else 1
    partial = path.with_suffix(".partial")
    partial.write_text(str(number), encoding="utf-8")
    partial.replace(path)
    return number


def set_aside(settings: Settings, extracted: Extracted) -> Path:
    """Keep an extraction that can't be landed for people to look at; returns where."""
    place = settings.home / "spool-rejected" / f"{extracted.system}-{extracted.extraction_id}"
    place.parent.mkdir(parents=True, exist_ok=True)
    extracted.folder.replace(place)
    _lock_path(extracted.folder).unlink(missing_ok=True)
    return place


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def _being_written(folder: Path) -> bool:
    lock = FileLock(str(_lock_path(folder)))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
