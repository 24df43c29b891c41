"""The bench of scale mode: every case runs, counts what it made, and is compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import sandbox_scale as bench


def test_all_cases_are_compared_to_the_event_by_event_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["bench", "--events", "3000", "--json", str(target)])
    bench.main()
    rows = json.loads(target.read_text())
    assert [row["what"] for row in rows] == [what for what, _, _ in bench.CASES.values()]
    made = [row for row in rows if row["what"] == "order events made"]
    served = [row for row in rows if row["what"] == "OMS orders over HTTP"]
    # About as much in every case, or the memory could not be compared.
    assert all(2_500 < row["amount"] < 4_000 for row in made)
    assert all(200 < row["amount"] < 350 for row in served)
    for first, *others in (made, served):
        assert first["case"] == bench.ALTERNATIVE
        assert first["times"] == first["memory"] == 1
        for row in others:
            assert row["times"] == pytest.approx(row["per_second"] / first["per_second"])
            assert row["memory"] == pytest.approx(row["peak_mb"] / first["peak_mb"])
