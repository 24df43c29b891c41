"""The harness of rates: what counts as time, and what the ratio is to."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from bench import connectors as bench
from bench.connectors import RUNS, Case, measure


def test_the_ratio_is_to_the_first_case_and_the_best_run_counts() -> None:
    pauses = iter([0.05, 0.001, 0.05])

    def ours() -> int:
        time.sleep(next(pauses))
        return 10

    first, second = measure("x", [Case("ours", ours), Case("theirs", lambda: (20, 0.001))])
    assert first.times_ours == 1 and 1_000 < first.records_per_second < 10_001
    assert second.records_per_second == 20_000
    assert second.times_ours == pytest.approx(20_000 / first.records_per_second)
    assert list(pauses) == [] and RUNS == 3


def test_the_rates_of_a_connector_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "rates.json"
    arguments = ["carrier_tracking", "--records", "110", "--json", str(target)]
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    bench.main()
    rates = json.loads(target.read_text())
    assert rates[0]["case"] == "ours, files to records" and rates[0]["records"] == 110
    assert {rate["records"] for rate in rates} == {110}
    assert all(rate["records_per_second"] > 0 for rate in rates)
