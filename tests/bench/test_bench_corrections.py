"""The bench of the engine: every correction is proved, memory sampled, the ratio to a write."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import corrections as bench


def test_every_correction_is_proved_and_compared_to_a_bare_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "figures.json"
    arguments = ["--corrections", "60", "--threads", "3", "--dispatchers", "2"]
    monkeypatch.setattr(sys, "argv", ["bench", *arguments, "--json", str(target)])
    bench.main()
    figures = json.loads(target.read_text())
    assert figures["ratio"] == pytest.approx(figures["per_second"] / figures["naive_per_second"])
    # Read, the authority read, read again right before the write, the write: four requests each.
    # The bare writes, and a few pages of the extraction.
    assert 5 * 60 <= figures["requests"] <= 5 * 60 + 10
    ((done, memory, rate),) = figures["samples"]
    assert done == 60 and memory > 10 and rate > 0
    assert set(figures["seconds_of"]) == {"propose", "approve", "deliver", "extract", "prove"}


def test_a_rate_without_its_guarantees_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.Engine, "round", lambda _engine, _first, count: count)
    with pytest.raises(RuntimeError, match="10 proved, 0 applied, 10 wanted"):
        bench.measure(10, 1)
