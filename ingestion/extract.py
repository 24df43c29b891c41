"""Reads one system to the spool: every entity after its cursor, typed, with the log of it.

Nothing here holds the warehouse while it waits for the network, so that systems can be read side by
side.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from connectors.base import DAYS_ONLY, TIME_CUT_OFF, Page, Source, SourceError
from ingestion import rejudge, spool, sweep, unchanged, unread
from ingestion.landing import WITHDRAWN_COLUMNS, last_cursors, last_sweeps, misfits
from ingestion.report import Clock, EntityReport, Extracted
from ingestion.typing import BatchTyper, ReceivedRecord
from ingestion.unchanged import LastVersions
from ingestion.unread import Sought
from ingestion.warehouse import warehouse
from registry.contracts import Contract, arrow_schema, contracts_of
from registry.crash_points import crash_point
from registry.errors import TallymanError
from registry.settings import Settings
from registry.systems import System

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000
# So many documents that all happened at midnight to the second have lost their time of day.
MIDNIGHTS_TOLD = 3
# One that did among others may be chance; of two, the source has days without a time.
HABIT = 2
# What fails so fails for every entity of the system: the others are not tried, only noted.
SYSTEM_WIDE = frozenset({"unreachable", "unauthorised"})


@dataclass(frozen=True)
class StartingPoint:
    """From where a system is read, by entity.

    ``cursors``: where to go on; ``swept``: when deleted records were last looked for, None to not
    look for them now; ``refused``: the rows in quarantine that are to be judged again; ``known``:
    what landed last, where only changes land; ``unread``: the ids of records that are sought by
    reading from the start; ``misfits``: why an entity can't land and is not read at all.
    """

    cursors: Mapping[str, str | None]
    swept: Mapping[str, datetime] | None = None
    refused: Mapping[str, pa.Table] = field(default_factory=dict)
    known: Mapping[str, pa.Table] = field(default_factory=dict)
    unread: Mapping[str, pa.Array] = field(default_factory=dict)
    misfits: Mapping[str, str] = field(default_factory=dict)


def starting_point(
    connection: duckdb.DuckDBPyConnection, system: System, settings: Settings
) -> StartingPoint:
    """Where the next extraction of a system goes on, from what the warehouse holds."""
    cursors, swept = last_cursors(connection, system.name), last_sweeps(connection, system.name)
    contracts = system_contracts(system, settings)
    unfit = misfits(connection, system.name, contracts)
    # What waits to be landed may hold verdicts, newer versions and what a sweep missed, against
    # which the next one is held; the next pass will know.
    if any(spool.waiting(settings, system.name)):
        return StartingPoint(cursors, None, misfits=unfit)
    sought = unread.due(connection, system)
    cursors = {entity: cursor for entity, cursor in cursors.items() if entity not in sought}
    return StartingPoint(
        cursors=cursors,
        swept=swept,
        refused=rejudge.due(connection, system.name, contracts),
        known=unchanged.known(connection, system.name, contracts, cursors),
        unread=sought,
        misfits=unfit,
    )


def system_contracts(system: System, settings: Settings) -> dict[str, Contract]:
    """The contracts of a system's connector, by entity, with those beside the systems file."""
    return contracts_of(system.connector, settings.systems_file.parent / "contracts")


def extract_system(
    system: System,
    source: Source,
    settings: Settings,
    run_id: str,
    clock: Clock,
    start: StartingPoint | None = None,
) -> Extracted:
    """Read all entities of one system. Never raises for what the source did: see the reports.

    ``start`` is what ``starting_point`` tells; by default it is asked here. With cursors alone
    nothing is known of what the warehouse holds: deleted records are not looked for, nothing is
    judged again, and all lands.
    """
    if start is None:
        with warehouse(settings, f"cursors of {system.name}") as connection:
            start = starting_point(connection, system, settings)
    due = frozenset() if start.swept is None else sweep.due(source, start.swept, clock.now())
    contracts = system_contracts(system, settings)
    extraction_id = f"{clock.now():%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    names = [e for e in source.entities if not system.entities or e in system.entities]
    reports: list[EntityReport] = []
    with (
        spool.SpoolWriter(settings, system.name, extraction_id, run_id) as writer,
        BatchTyper(system.name, ZoneInfo(system.time_zone)) as typer,
    ):
        for name in names:
            down = _down(reports)
            if down is not None:
                now = clock.now()
                reports.append(
                    replace(
                        down,
                        entity=name,
                        started_at=now,
                        ended_at=now,
                        records=0,
                        unchanged=0,
                        quarantined=0,
                        cursor_from=start.cursors.get(name),
                        cursor_to=None,
                        notices=(),
                    )
                )
                continue
            if name in start.misfits:
                reports.append(_not_read(name, start, clock.now()))
                continue
            last = LastVersions(start.known[name]) if name in start.known else None
            sought = Sought(start.unread[name], system) if name in start.unread else None
            extraction = _EntityExtraction(
                name, contracts.get(name), writer, typer, clock, last, sought
            )
            if name in start.refused:
                extraction.judge_again(start.refused[name])
            report = extraction.run(source, extraction_id, start.cursors.get(name))
            if report.complete and name in due:
                report = sweep.run(source, report, extraction_id, settings, writer, clock)
            reports.append(report)
        extracted = writer.finish(tuple(reports))
    crash_point("ingestion.before_land")
    return extracted


def _not_read(entity: str, start: StartingPoint, now: datetime) -> EntityReport:
    """The report of an entity that could not land: read with the others it would hold them up."""
    return EntityReport(
        entity=entity,
        started_at=now,
        ended_at=now,
        complete=False,
        cursor_from=start.cursors.get(entity),
        error_kind="contract_type",
        error=start.misfits[entity],
    )


def _down(reports: Sequence[EntityReport]) -> EntityReport | None:
    """The report of an entity that failed as the whole system does.

    One entity that gives no answer in time may be too large; two are a system that hangs, and to
    wait for each of the others would hold up every other system.
    """
    silent = [report for report in reports if report.error_kind == "timeout"]
    wide = [report for report in reports if report.error_kind in SYSTEM_WIDE]
    return next(iter(wide + silent[1:]), None)


class _EntityExtraction:
    """Reads one entity; what was read before a failure is kept, but counts as incomplete."""

    def __init__(
        self,
        entity: str,
        contract: Contract | None,
        writer: spool.SpoolWriter,
        typer: BatchTyper,
        clock: Clock,
        last: LastVersions | None,
        sought: Sought | None,
    ) -> None:
        self._entity = entity
        self._contract = contract
        self._writer = writer
        self._typer = typer
        self._clock = clock
        self._last = last
        self._sought = sought
        self._waiting: list[ReceivedRecord] = []
        self._sequence = 0
        self._records = 0
        self._unchanged = 0
        self._quarantined = 0
        self._unknown_fields: set[str] = set()
        self._timed: set[str] = set()
        self._midnights: Counter[str] = Counter()
        self._cursor: str | None = None
        self._withdrawn: list[str] = []
        self._notices: list[str] = []
        self._offset: float | None = None
        self._uncertainty: float | None = None

    def judge_again(self, refused: pa.Table) -> None:
        """Land what the present contract takes of the rows in quarantine."""
        assert self._contract is not None
        typed = rejudge.judge(refused, self._contract, self._typer, self._clock.now())
        self._writer.write(self._entity, typed.accepted)
        self._writer.write(spool.QUARANTINE, typed.quarantined)
        self._notices.append(
            f"{typed.accepted.num_rows} of {refused.num_rows} rows in quarantine pass the changed "
            f"contract and land now"
        )

    def run(self, source: Source, extraction_id: str, cursor: str | None) -> EntityReport:
        started = self._clock.now()
        self._cursor = cursor
        told_before = len(getattr(source, "notices", ()))
        error_kind = error = None
        keeps_place = False
        try:
            self._read(source, extraction_id, cursor)
        except SourceError as failure:
            error_kind, error = failure.kind, str(failure)
            keeps_place = getattr(source, "keeps_place_on_failure", False)
        except TallymanError as failure:
            error_kind, error = "configuration", str(failure)
        except Exception as failure:
            # A fault of one connector must not keep the other entities and systems from landing.
            log.exception("reading %s of %s failed", self._entity, source.system.name)
            error_kind = "internal"
            error = f"reading {self._entity} of {source.system.name} failed: {failure!r}"
        is_landing = error is None or self._keep_what_came(extraction_id)
        keeps_cursor = error is None or (keeps_place and is_landing)
        if keeps_cursor:
            self._withdraw(source.system.name, extraction_id, started)
            self._end_search(source.system.name, extraction_id, started, error is None)
        return EntityReport(
            entity=self._entity,
            started_at=started,
            ended_at=self._clock.now(),
            complete=error is None,
            records=self._records,
            unchanged=self._unchanged,
            quarantined=self._quarantined,
            cursor_from=cursor,
            cursor_to=self._cursor if keeps_cursor else None,
            clock_offset_seconds=self._offset,
            clock_uncertainty_seconds=self._uncertainty,
            error_kind=error_kind,
            error=error,
            notices=(
                *(f"unknown field {name}" for name in sorted(self._unknown_fields)),
                *(
                    f"{TIME_CUT_OFF} in {name}: each of {count} documents has midnight"
                    for name, count in sorted(self._midnights.items())
                    if count >= MIDNIGHTS_TOLD and name not in self._timed
                ),
                *(
                    f"{DAYS_ONLY} in {name}"
                    for name, count in sorted(self._midnights.items())
                    if count >= HABIT and name in self._timed
                ),
                *self._notices,
                *getattr(source, "notices", ())[told_before:],
            ),
        )

    def _read(self, source: Source, extraction_id: str, cursor: str | None) -> None:
        if self._contract is None:
            raise SourceError(
                "no_contract",
                f"{source.system.name} offers entity '{self._entity}', but connector "
                f"'{source.system.connector}' has no contract for it",
            )
        for number, page in enumerate(source.pages(self._entity, cursor)):
            self._take(page)
            if number == 0:
                crash_point("ingestion.after_first_page")
            if len(self._waiting) >= BATCH_ROWS:
                self._flush(extraction_id)
        self._flush(extraction_id)

    def _take(self, page: Page) -> None:
        received = self._clock.now()
        if page.clock_offset_seconds is not None:
            self._offset = page.clock_offset_seconds
            self._uncertainty = page.clock_uncertainty_seconds
        source_now = received + timedelta(seconds=self._offset or 0.0)
        self._waiting += [ReceivedRecord(record, received, source_now) for record in page.records]
        self._withdrawn += page.withdrawn
        self._notices += [notice for notice in page.notices if notice not in self._notices]
        self._cursor = page.cursor

    def _withdraw(self, system: str, extraction_id: str, at: datetime) -> None:
        rows = [
            {
                "system": system,
                "entity": self._entity,
                "container": container,
                "extraction_id": extraction_id,
                "withdrawn_at": at,
            }
            for container in self._withdrawn
        ]
        told = pa.Table.from_pylist(rows, schema=arrow_schema(WITHDRAWN_COLUMNS))
        self._writer.write(spool.WITHDRAWN, told)

    def _end_search(self, system: str, extraction_id: str, at: datetime, is_complete: bool) -> None:
        """Where the place is kept, what is left of a reading from the start will be read, too."""
        if self._sought is None:
            return
        ids = self._sought.record_ids.to_pylist()
        told = unread.told(system, self._entity, extraction_id, ids, at, is_sought=True)
        self._writer.write(spool.UNREAD, told)
        if is_complete:
            self._notices += self._sought.notices()

    def _flush(self, extraction_id: str) -> None:
        if not self._waiting or self._contract is None:
            return
        batch, self._waiting = self._waiting, []
        typed = self._typer.type(
            self._contract, batch, extraction_id, self._sequence, self._clock.now()
        )
        news = typed.accepted if self._last is None else self._last.news(typed)
        self._writer.write(self._entity, news)
        self._writer.write(spool.QUARANTINE, typed.quarantined)
        if self._sought is not None:
            self._sought.strike_off(typed)
        self._sequence += len(batch)
        self._records += news.num_rows
        self._unchanged += typed.accepted.num_rows - news.num_rows
        self._quarantined += typed.quarantined.num_rows
        self._unknown_fields |= typed.unknown_fields
        self._timed |= typed.timed
        self._midnights.update(typed.midnights)

    def _keep_what_came(self, extraction_id: str) -> bool:
        """Whether the rows read before the failure will land."""
        try:
            self._flush(extraction_id)
        except Exception:
            log.exception("the rows of %s read before its failure are lost", self._entity)
            return False
        return True
