"""A healthy world at scale, read by the whole product over HTTP: it may open nothing by mistake."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from sandbox.scale.feed_files import HOME, SERVE_PORT
from sandbox.scale.plan import ScalePlan
from sandbox.scale.serve import running_scale
from sandbox.scale.write import write_scale

pytestmark = pytest.mark.world


def test_only_what_was_under_way_at_its_end_is_overdue(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    home = folder / HOME
    manifest = write_scale(ScalePlan(30_000, items=500, block_orders=900), folder)
    systems = folder / "systems.toml"
    with running_scale(folder) as url:
        text = systems.read_text(encoding="utf-8")
        systems.write_text(text.replace(f"http://127.0.0.1:{SERVE_PORT}", url), encoding="utf-8")
        done = CliRunner().invoke(
            app, ["sync", "--home", str(home), "--systems", str(systems)], catch_exceptions=False
        )
    assert done.exit_code == 0, done.output
    assert "stops nothing" not in done.output
    states, counts = manifest["states"], manifest["counts"]
    assert states["booked"] and states["released"]
    with duckdb.connect(home / "published/current/tallyman.duckdb", read_only=True) as published:
        feeds = published.execute(
            "select system || '.' || entity, record_count, quarantined_count from marts.feeds"
        ).fetchall()
        opened = published.execute(
            "select rule_id, count(distinct order_id) from marts.exceptions group by rule_id"
        ).fetchall()
        (followed,) = published.execute("select count(*) from marts.order_lifecycle").fetchall()
    assert {quarantined for _, _, quarantined in feeds} == {0}
    read = {feed: records for feed, records, _ in feeds}
    assert read["scale_files.order_events"] == counts["order_events"]
    assert read["scale_oms.order_lines"] == counts["order_lines"] == followed[0]
    assert read["scale_oms.products"] == counts["oms.products"]
    assert read["scale_erp.items"] == counts["erp.items"]
    assert read["scale_wms.items"] == counts["wms.items"]
    assert read["scale_carrier.tracking_events"] == counts["carrier.events"]
    # A shipment is packed, posted and billed by the same lines.
    shipped = read["scale_wms.shipment_lines"]
    assert read["scale_erp.fulfilment_lines"] == read["scale_erp.invoice_lines"] == shipped
    assert read["scale_erp.sales_order_lines"] > read["scale_wms.order_lines"] > shipped > 0
    # The history ends at the start of 2026. What had not been released or shipped by then is late
    # since; all else was told by everybody, in time.
    assert dict(opened) == {"O09R": states["booked"], "O09W": states["released"]}
