"""Lands spooled extractions in ``raw_<system>`` through dlt: append only, all of one in one load.

The spool is what survives a crash, not dlt's own working folder: a load that was interrupted is
dropped there and made again from the spool under a new load id. Rows of the interrupted load carry
an id that ``_dlt_loads`` does not list, so no view shows them, and nothing is ever landed twice.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet

from connectors.base import Source
from ingestion import spool
from ingestion.extract import extract_system
from ingestion.landing import (
    EXTRACTION_COLUMNS,
    LOAD_ORDER,
    MISSING,
    SAME_CURSOR,
    UNREAD,
    WITHDRAWN,
    landed_extractions,
    last_cursors,
    next_load_order,
    raw_schema,
    unknown_start,
)
from ingestion.report import Clock, EntityReport, Extracted, LoadReport
from ingestion.warehouse import damage_told, means_damage, warehouse
from registry.contracts import arrow_schema
from registry.crash_points import crash_point
from registry.errors import TallymanError
from registry.settings import Settings
from registry.systems import System

if TYPE_CHECKING:
    import dlt

__all__ = [
    "EntityReport",
    "Extracted",
    "LoadReport",
    "extract_system",
    "land",
    "load_system",
]

log = logging.getLogger(__name__)

ROW_GROUP_ROWS = 50_000
# Files of the spool that are no entity of the source, and the tables in which they land.
OWN_TABLES = {
    spool.QUARANTINE: "quarantine",
    spool.MISSING: MISSING,
    spool.WITHDRAWN: WITHDRAWN,
    spool.UNREAD: UNREAD,
}
PACKAGES_KEPT = 5
# A contract may gain columns; a column that changes its type is a mistake, and must be loud.
SCHEMA_CONTRACT: Any = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}


def load_system(
    system: System, source: Source, settings: Settings, run_id: str, clock: Clock
) -> LoadReport:
    """Read one system and land what it told. Never raises for what the source did."""
    extracted = extract_system(system, source, settings, run_id, clock)
    with warehouse(settings, f"load of {system.name}") as connection:
        return land(extracted, settings, connection)


def land(
    extracted: Extracted, settings: Settings, connection: duckdb.DuckDBPyConnection
) -> LoadReport:
    """Land one extraction, and before it those that a crash left behind.

    The caller holds the warehouse, so that several can land before it is closed: each closing
    writes a checkpoint.

    An extraction that cannot be landed is tried in ``spool.LANDING_ATTEMPTS`` passes and then set
    aside; its report says so and the system's other extractions go on. One that does not continue
    what the warehouse holds is dropped: the next pass reads from where the warehouse is.
    """
    report: LoadReport | None = None
    landed = landed_extractions(connection, extracted.system)
    for waiting in list(spool.waiting(settings, extracted.system)):
        if waiting.extraction_id in landed:
            spool.remove(waiting.folder)
            continue
        astray = unknown_start(connection, waiting)
        if astray is not None:
            outcome = _dropped(waiting, astray)
        else:
            outcome = _land_one(waiting, settings, connection)
        if waiting.extraction_id == extracted.extraction_id:
            report = outcome
    crash_point("ingestion.after_land")
    # Another process may have landed it for us, as one that a crash left behind.
    return report or LoadReport(
        extracted.system, extracted.extraction_id, extracted.extraction_id, extracted.entities
    )


def _land_one(
    extracted: Extracted, settings: Settings, connection: duckdb.DuckDBPyConnection
) -> LoadReport:
    attempt = spool.count_attempt(extracted.folder)
    try:
        load_id = _load(extracted, settings, connection)
    except (TallymanError, MemoryError):
        raise
    except Exception as error:
        # Nothing is wrong with the extraction then: it lands when the file has been replaced.
        if means_damage(error):
            raise
        damage = damage_told(str(error))
        if damage is not None:
            raise damage from error
        log.exception("landing %s of %s failed", extracted.extraction_id, extracted.system)
        return _not_landed(extracted, settings, error, attempt)
    crash_point("ingestion.after_load")
    spool.remove(extracted.folder)
    return LoadReport(extracted.system, extracted.extraction_id, load_id, extracted.entities)


def _dropped(extracted: Extracted, astray: str) -> LoadReport:
    spool.remove(extracted.folder)
    message = (
        f"{extracted.system} was read from where {astray} had been, and an older copy has taken "
        "the place of the warehouse since: it was dropped, and the next pass goes on from the copy"
    )
    log.warning("%s", message)
    return _without_landing(extracted, message)


def _not_landed(
    extracted: Extracted, settings: Settings, error: Exception, attempt: int
) -> LoadReport:
    if attempt >= spool.LANDING_ATTEMPTS:
        place = spool.set_aside(settings, extracted)
        remedy = f"it was set aside in {place} and the next pass reads the system again"
    else:
        remedy = "the next pass tries again"
    cause = error.__cause__ or error
    message = f"{extracted.system} was read but could not be landed ({cause}): {remedy}"
    return _without_landing(extracted, message)


def _without_landing(extracted: Extracted, message: str) -> LoadReport:
    entities = tuple(
        EntityReport(
            entity=entity.entity,
            started_at=entity.started_at,
            ended_at=entity.ended_at,
            complete=False,
            cursor_from=entity.cursor_from,
            error_kind="not_landed",
            error=message,
        )
        for entity in extracted.entities
    )
    return LoadReport(extracted.system, extracted.extraction_id, None, entities)


def _load(extracted: Extracted, settings: Settings, connection: duckdb.DuckDBPyConnection) -> str:
    pipeline = _pipeline(extracted.system, settings, connection)
    if pipeline.has_pending_data:
        # Left by a crash. The spool still holds it whole, or it is landed already.
        pipeline = pipeline.drop()
        pipeline.sync_destination()
    log_rows = extraction_rows(
        extracted,
        next_load_order(connection, extracted.system),
        last_cursors(connection, extracted.system),
    )
    pipeline.extract(list(_resources(extracted, log_rows)), loader_file_format="parquet")
    crash_point("ingestion.after_extract")
    pipeline.normalize()
    crash_point("ingestion.after_normalize")
    information = pipeline.load()
    information.raise_on_failed_jobs()
    _forget_old_packages(Path(pipeline.working_dir))
    return str(information.loads_ids[0])


def _forget_old_packages(working_folder: Path) -> None:
    """dlt keeps a folder of each load for ever; the warehouse holds the log that matters."""
    packages = sorted((working_folder / "load" / "loaded").glob("*"))
    for package in packages[:-PACKAGES_KEPT]:
        shutil.rmtree(package, ignore_errors=True)


def _pipeline(
    system: str, settings: Settings, connection: duckdb.DuckDBPyConnection
) -> dlt.Pipeline:
    import dlt

    from ingestion.destination import warehouse_destination

    for key, value in {
        "normalize.parquet_normalizer.add_dlt_load_id": True,
        "load.delete_completed_jobs": True,
        "restore_from_destination": False,
        "runtime.dlthub_telemetry": False,
        "runtime.log_level": "ERROR",
    }.items():
        dlt.config[key] = value
    return dlt.pipeline(
        pipeline_name=f"tallyman_{system}",
        pipelines_dir=str(settings.dlt_home),
        destination=warehouse_destination(connection),
        dataset_name=raw_schema(system),
    )


def _resources(extracted: Extracted, log_rows: pa.Table) -> Iterator[Any]:
    """One resource a spooled file, and the log of the extraction beside them in the same load."""
    for path in sorted(extracted.folder.glob("*.parquet")):
        name = OWN_TABLES.get(path.stem, path.stem)
        yield _resource(name, pyarrow.parquet.read_schema(path), _batches(path))
    yield _resource("extractions", log_rows.schema, iter([log_rows]))


def _resource(name: str, schema: pa.Schema, batches: Iterator[pa.Table]) -> Any:
    import dlt

    # dlt takes every time for one with a zone unless told otherwise.
    hints: Any = {
        field.name: {"data_type": "timestamp", "timezone": False}
        for field in schema
        if pa.types.is_timestamp(field.type) and field.type.tz is None
    }
    return dlt.resource(
        batches,
        name=name,
        write_disposition="append",
        columns=hints,
        schema_contract=SCHEMA_CONTRACT,
    )


def _batches(path: Path) -> Iterator[pa.Table]:
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROW_GROUP_ROWS):
            yield pa.Table.from_batches([batch])


def extraction_rows(
    extracted: Extracted, load_order: int, cursors: Mapping[str, str | None]
) -> pa.Table:
    """The log of one extraction: one row an entity, failed ones too. ``cursors``: those by entity
    that the log has before it."""
    rows = [
        {
            "system": extracted.system,
            "entity": entity.entity,
            "extraction_id": extracted.extraction_id,
            "run_id": extracted.run_id,
            "started_at": entity.started_at,
            "ended_at": entity.ended_at,
            "complete": entity.complete,
            "cursor_to": (
                SAME_CURSOR
                if entity.cursor_to and entity.cursor_to == cursors.get(entity.entity)
                else entity.cursor_to
            ),
            "records": entity.records,
            "unchanged": entity.unchanged,
            "quarantined": entity.quarantined,
            "clock_offset_seconds": entity.clock_offset_seconds,
            "clock_uncertainty_seconds": entity.clock_uncertainty_seconds,
            "error_kind": entity.error_kind,
            "error_message": entity.error,
            "notices": "; ".join(entity.notices) or None,
            "swept": entity.swept,
            LOAD_ORDER: load_order,
        }
        for entity in extracted.entities
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(EXTRACTION_COLUMNS))
