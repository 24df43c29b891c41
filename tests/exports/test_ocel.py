"""OCEL 2.0: what is in the log is what is in the build, and nothing points to nowhere."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from registry.errors import ConfigurationError
from reporting.exports.ocel import export_ocel

READ = """
import json, sys
import pm4py
log = pm4py.read_ocel2(sys.argv[1])
print(json.dumps({
    "events": sorted(log.events["ocel:eid"]),
    "objects": sorted(log.objects["ocel:oid"]),
    "relations": len(log.relations),
    "between": len(log.o2o),
    "shipped at": str(log.events.set_index("ocel:eid").loc["shipped1", "ocel:timestamp"]),
}))
"""
EVENTS = ["captured1", "captured2", "e1:closed", "e1:opened", "k1:accepted", "k1:proposed"]
EVENTS += ["released1", "released2", "scan", "shipped1", "shipped2"]


def test_the_counts_tie_to_the_marts(build, tmp_path: Path) -> None:
    written = export_ocel(build, tmp_path / "log.json")
    log = json.loads((tmp_path / "log.json").read_text(encoding="utf-8"))
    assert sorted(event["id"] for event in log["events"]) == EVENTS
    assert (written.events, written.milestones) == (len(EVENTS), 7)
    kinds = [thing["type"] for thing in log["objects"]]
    assert (written.objects, written.orders) == (len(kinds), 1)
    assert kinds.count("order_line") == 2
    assert kinds.count("exception") == 1  # a pending duty is none
    assert kinds.count("document") == 3


def test_nothing_points_to_nowhere_and_everything_is_typed(build, tmp_path: Path) -> None:
    export_ocel(build, tmp_path / "log.json")
    log = json.loads((tmp_path / "log.json").read_text(encoding="utf-8"))
    known = {thing["id"] for thing in log["objects"]}
    for told in (*log["events"], *log["objects"]):
        assert {related["objectId"] for related in told["relationships"]} <= known
    for told, types in ((log["events"], "eventTypes"), (log["objects"], "objectTypes")):
        described = {kind["name"]: {a["name"] for a in kind["attributes"]} for kind in log[types]}
        assert set(described) == {one["type"] for one in told}
        for one in told:
            assert {a["name"] for a in one["attributes"]} <= described[one["type"]]
    shipped = next(event for event in log["events"] if event["id"] == "shipped1")
    assert shipped["time"] == "2026-01-01T08:00:00.250000Z"
    assert shipped["type"] == "shipped (wms)"
    assert {"name": "quantity", "value": 5.0} in shipped["attributes"]
    assert {"objectId": "document:wms:wms-1", "qualifier": "document"} in shipped["relationships"]


def test_both_formats_hold_the_same(build, tmp_path: Path) -> None:
    export_ocel(build, tmp_path / "log.json")
    export_ocel(build, tmp_path / "log.sqlite")
    log = json.loads((tmp_path / "log.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(tmp_path / "log.sqlite")) as file:

        def rows(sql: str) -> list[tuple]:
            return sorted(file.execute(sql).fetchall())

        assert rows("select * from event") == sorted((e["id"], e["type"]) for e in log["events"])
        assert rows("select * from object") == sorted((o["id"], o["type"]) for o in log["objects"])
        assert rows("select * from event_object") == sorted(
            (e["id"], r["objectId"], r["qualifier"])
            for e in log["events"]
            for r in e["relationships"]
        )
        assert rows("select * from object_object") == sorted(
            (o["id"], r["objectId"], r["qualifier"])
            for o in log["objects"]
            for r in o["relationships"]
        )
        assert rows("select * from event_map_type where ocel_type = 'shipped (wms)'") == [
            ("shipped (wms)", "ShippedWms")
        ]
        assert rows("select ocel_id, ocel_time, quantity from event_ShippedWms") == [
            ("shipped1", "2026-01-01T08:00:00.250000Z", 5.0),
            ("shipped2", "2026-01-01T08:00:00.250000Z", 5.0),
        ]


def test_another_ending_is_refused_and_leaves_nothing(build, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.json, \.sqlite"):
        export_ocel(build, tmp_path / "log.xml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["log.sqlite", "log.json"])
def test_pm4py_reads_it(build, tmp_path: Path, pm4py_python: Path, name: str) -> None:
    written = export_ocel(build, tmp_path / name)
    (tmp_path / "read.py").write_text(READ, encoding="utf-8")
    told = subprocess.run(
        [pm4py_python, tmp_path / "read.py", tmp_path / name],
        check=True,
        capture_output=True,
        text=True,
    )
    # It greets on the same stream.
    read = json.loads(next(line for line in told.stdout.splitlines() if line.startswith("{")))
    assert read["events"] == EVENTS
    assert len(read["objects"]) == written.objects
    assert read["relations"] == written.relations
    assert read["between"] > 0
    assert read["shipped at"].startswith("2026-01-01 08:00:00.25")
