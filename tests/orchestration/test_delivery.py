"""The delivery of one installation: who gets corrections, and when a delivery is begun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import Source
from orchestration import doctor
from orchestration.corrections import deliver
from orchestration.installation import Installation
from registry.settings import load_settings

SYSTEMS = """
[[systems]]
name = "erp"
role = "erp"
connector = "demo_erp"
base_url = "http://127.0.0.1:1"
write_mode = "on"
secrets.api_key = "ERP_KEY"

[[systems]]
name = "wms"
role = "wms"
connector = "tryton"
base_url = "http://127.0.0.1:2"
secrets.api_key = "WMS_KEY"
options = {database = "x", company = 1}
"""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """A system that corrections go to, and one in dry run without what writing needs."""
    (tmp_path / "systems.toml").write_text(SYSTEMS)
    for name in ("ERP_KEY", "WMS_KEY"):
        monkeypatch.setitem(os.environ, name, "secret")
    found = Installation.load(load_settings(tmp_path / "home", tmp_path / "systems.toml"))
    yield found
    found.store.close()


def test_a_system_without_its_secret_for_writing_stops_no_delivery_to_others(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    report = deliver(installation)
    assert list(report.left_out) == ["wms"]
    assert "wms" in report.as_dict()["left_out"]
    (told,) = [line for line in caplog.messages if "no corrections are sent to 'wms'" in line]
    assert report.left_out["wms"] in told
    assert installation.writable_systems == ["erp"]


def test_doctor_tells_that_a_system_can_not_be_written(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answers(Source):
        def __init__(self) -> None:
            pass

        def probe(self) -> None:
            return None

    monkeypatch.setattr(doctor, "make_source", lambda *_: Answers())
    found = {one.area: one for one in doctor.examine(installation.settings)}
    assert found["system erp"].ok
    assert not found["system wms"].ok
    assert found["system wms"].detail == deliver(installation).left_out["wms"]
