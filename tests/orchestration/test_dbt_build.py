"""What dbt's results mean, by results that a fake of it gives."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dbt.artifacts.schemas.run import RunExecutionResult

from ingestion.warehouse import DamagedWarehouseError, warehouse
from orchestration import dbt_build
from registry.settings import load_settings

DAMAGE = "IO Error: Corrupt database file: checksum 1 does not match stored checksum 2 in block 7"


class Runner:
    """Stands for dbtRunner: one node ends with an error, or dbt itself stops."""

    stops = False

    def __init__(self, **_: Any) -> None:
        pass

    def invoke(self, _: list[str]) -> Any:
        node = SimpleNamespace(unique_id="model.exceptions", schema="marts", name="exceptions")
        run = SimpleNamespace(
            node=node, status="error", execution_time=1.0, failures=None, message=DAMAGE
        )
        result = RunExecutionResult(results=[run], elapsed_time=1.0)  # type: ignore[list-item]
        return SimpleNamespace(
            result=None if self.stops else result,
            exception=RuntimeError(DAMAGE) if self.stops else None,
        )


@pytest.mark.parametrize("stops", [False, True])
def test_damage_that_dbt_finds_sets_the_file_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    settings = load_settings(tmp_path)
    monkeypatch.setattr("dbt.cli.main.dbtRunner", type("_", (Runner,), {"stops": stops}))
    monkeypatch.setattr(dbt_build, "kept_manifest", lambda _: None)
    monkeypatch.setattr(dbt_build, "_time_zones", lambda _: [])
    monkeypatch.setattr(dbt_build, "_arguments", lambda *_: [])
    monkeypatch.setattr(dbt_build, "_environment", lambda _: nullcontext())
    with pytest.raises(DamagedWarehouseError, match="set aside: run again"), warehouse(settings):
        dbt_build.build(settings)
    assert len(list(tmp_path.glob("warehouse.duckdb.damaged-*"))) == 1
