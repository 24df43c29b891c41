"""The real delivery history, synced as a user would, against figures worked out with pandas."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from scms_truth import GRACE_DAYS, ROOT, Truth, read_truth

from registry.settings import load_settings
from reporting.publish import published_connection

LINES = 10_324
SYSTEMS = ROOT / "examples" / "scms" / "systems.toml"


@dataclass(frozen=True)
class Synced:
    """What `tallyman sync` left: its JSON, its terminal, its published build."""

    home: Path
    summary: dict[str, Any]
    terminal: str
    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


def sync(home: Path) -> tuple[dict[str, Any], str]:
    target = home.parent / "scms.json"
    command = [sys.executable, "-m", "orchestration", "sync", "--systems", str(SYSTEMS)]
    done = subprocess.run(
        [*command, "--home", str(home), "--json", str(target)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(target.read_text()), done.stdout


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    home = tmp_path_factory.mktemp("scms") / "home"
    summary, terminal = sync(home)
    with published_connection(load_settings(home, SYSTEMS)) as connection:
        yield Synced(home, summary, terminal, connection)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return read_truth()


def test_every_line_is_accounted_for(synced: Synced) -> None:
    lines = synced.summary["lines"]
    assert lines["landed"] + lines["quarantined"] == lines["total"] == LINES
    assert synced.summary["quarantined"] == 0
    assert synced.summary["unmapped"] == 0
    assert f"{LINES:,} landed" in synced.terminal


def test_event_lag_is_that_of_pandas(synced: Synced, truth: Truth) -> None:
    assert synced.summary["event_lag_days"] == pytest.approx(truth.event_lag_days, abs=1e-9)


def test_the_canonical_events_carry_the_same_lag(synced: Synced, truth: Truth) -> None:
    """Days are told, so lags are whole days: from the end of one to the end of the other."""
    lags = synced.rows(
        """
        select
            order_line_id,
            recorded_to - occurred_at,
            recorded_to - recorded_from
        from core.order_events
        where milestone = 'delivered'
        """
    )
    expected = dict(zip(truth.lines["line"], truth.lines["lag"], strict=True))
    assert {line: lag / timedelta(days=1) for line, lag, _ in lags} == expected
    # A date is a whole day: the bracket must not claim to know the hour.
    assert {width.total_seconds() for *_, width in lags} == {86_400 - 1e-6}


def test_deliveries_are_those_of_pandas(synced: Synced, truth: Truth) -> None:
    delivery = synced.summary["delivery"]
    assert {name: delivery[name] for name in truth.delivery} == truth.delivery
    on_time = (delivery["early"] + delivery["on_date"]) / delivery["lines"]
    assert delivery["on_time_share"] == pytest.approx(on_time, abs=1e-6)


def test_vendors_and_modes_are_those_of_pandas(synced: Synced, truth: Truth) -> None:
    modes = {"Air": "air", "Air Charter": "air_charter", "Truck": "truck", "Ocean": "ocean"}
    expected = {
        (vendor, modes.get(mode, mode)): counts
        for (vendor, mode), counts in truth.by("Vendor", "Shipment Mode").items()
    }
    found = {
        (row["vendor"], row["mode"]): (row["lines"], row["late"], row["early"], row["on_date"])
        for row in synced.summary["delivery_by_vendor_and_mode"]
    }
    assert found == expected
    assert sum(counts[0] for counts in found.values()) == LINES


def test_dates_that_look_like_iso_are_not(synced: Synced, truth: Truth) -> None:
    lead = {row["date_format"]: row for row in synced.summary["lead_days"]}
    assert (lead["20MM-DD-YY"]["count"], lead["20MM-DD-YY"]["p50"]) == (1712, 84.0)
    expected = (truth.lines["delivered"] - truth.lines["ordered"]).dt.days.dropna()
    assert (lead["all"]["count"], lead["all"]["p50"]) == (len(expected), expected.median())
    found = dict(
        synced.rows(
            "select order_line_id, ordered_on from marts.purchase_order_deliveries "
            "where ordered_on is not null"
        )
    )
    dated = truth.lines.dropna(subset=["ordered"])
    assert found == dict(zip(dated["line"], dated["ordered"].dt.date, strict=True))


def test_an_unknown_day_is_kept_as_told_and_given_no_time(synced: Synced, truth: Truth) -> None:
    undated = synced.rows(
        """
        select events.source_status, count(*), count(events.occurred_at)
        from core.order_events as events
        inner join marts.purchase_order_deliveries as lines using (order_line_id)
        where events.milestone = 'ordered' and lines.ordered_on is null
        group by all
        """
    )
    told = truth.lines.loc[truth.lines["ordered"].isna(), "PO Sent to Vendor Date"]
    assert {text: count for text, count, _ in undated} == dict(Counter(told))
    assert {times for *_, times in undated} == {0}


@pytest.mark.parametrize(
    ("column", "source"),
    [("weight_kg", "Weight (Kilograms)"), ("freight_cost", "Freight Cost (USD)")],
)
def test_cross_references_are_followed(
    synced: Synced, truth: Truth, column: str, source: str
) -> None:
    expected = truth.references(source)
    found = {row["column"]: row for row in synced.summary["references"]}[column]
    assert found == {
        "column": column,
        "references": expected["references"],
        "resolved": expected["number"],
        "target_without_value": expected["text"],
        "unresolved": expected["dangling"],
    }


@pytest.mark.parametrize(
    ("column", "source"),
    [
        ("weight_kg", "Weight (Kilograms)"),
        ("freight_cost", "Freight Cost (USD)"),
        ("insurance_cost", "Line Item Insurance (USD)"),
    ],
)
def test_no_value_is_lost_between_number_text_and_blank(
    synced: Synced, truth: Truth, column: str, source: str
) -> None:
    texts = truth.lines[source]
    numbers = pd.to_numeric(texts, errors="coerce")
    references = int(texts.str.startswith("See ").sum())
    dirt = Counter[str]()
    for row in synced.summary["dirt"]:
        if row["column"] == column:
            dirt[row["method"]] += row["values"]
    assert dirt == +Counter(
        {
            "mapped": int(numbers.notna().sum()),
            "blank": int((texts == "").sum()),
            "reference": references,
            "kept": int((numbers.isna() & (texts != "")).sum()) - references,
        }
    )
    total = synced.rows(f"select sum({column}) from marts.purchase_order_deliveries")[0][0]
    assert float(total) == pytest.approx(numbers.sum(), abs=0.01)


def test_kept_texts_are_counted_by_column(synced: Synced, truth: Truth) -> None:
    kept = {
        (row["column"], row["text"]): row["values"]
        for row in synced.summary["dirt"]
        if row["method"] == "kept"
    }
    for column, source, text in (
        ("ordered_on", "PO Sent to Vendor Date", "N/A - From RDC"),
        ("ordered_on", "PO Sent to Vendor Date", "Date Not Captured"),
        ("mode", "Shipment Mode", "N/A"),
        ("weight_kg", "Weight (Kilograms)", "Weight Captured Separately"),
        ("freight_cost", "Freight Cost (USD)", "Freight Included in Commodity Cost"),
        ("freight_cost", "Freight Cost (USD)", "Invoiced Separately"),
    ):
        assert kept[column, text] == int((truth.lines[source] == text).sum())


def test_exceptions_are_those_of_pandas(synced: Synced, truth: Truth) -> None:
    with (ROOT / "dbt_project" / "seeds" / "rules.csv").open() as handle:
        grace = {row["rule_id"]: row["grace_minutes"] for row in csv.DictReader(handle)}
    assert int(grace["O09"]) == GRACE_DAYS * 24 * 60
    found = synced.rows(
        "select object_id, status from marts.exceptions where status in ('open', 'closed')"
    )
    assert {line for line, _ in found} == truth.exceptions
    assert {status for _, status in found} == {"closed"}
    (rule,) = synced.summary["delivery_exceptions"]
    assert (rule["rule"], rule["found"], rule["open"]) == ("O09", len(truth.exceptions), 0)


def test_the_lag_is_in_the_kpi_table_too(synced: Synced, truth: Truth) -> None:
    ((count, negative, *seconds),) = synced.rows(
        """
        select
            event_count,
            negative_count,
            source_lag_p50_seconds,
            source_lag_p90_seconds,
            source_lag_p99_seconds
        from marts.kpi_event_lag
        where milestone = 'delivered'
        """
    )
    lag = truth.event_lag_days
    assert (count, negative) == (lag["count"], lag["negative"])
    assert [each / 86_400 for each in seconds] == [lag["p50"], lag["p90"], lag["p99"]]


def test_nothing_is_corrected_and_a_second_pass_changes_nothing(synced: Synced) -> None:
    again, _ = sync(synced.home)
    changing = {"seconds"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in synced.summary.items() if k not in changing
    }
    with published_connection(load_settings(synced.home, SYSTEMS)) as connection:
        landed = connection.execute(
            "select count(*) from landing.files__purchase_order_lines"
        ).fetchall()
        sent = connection.execute(
            "select count(*) from reconciliation.correction_proposals"
        ).fetchall()
    assert (landed, sent) == ([(LINES,)], [(0,)])
