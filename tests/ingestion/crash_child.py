"""Run by test_crash in a process of its own: one pass, in which the environment names its end."""

from __future__ import annotations

import sys
from pathlib import Path

from fakes import FakeClock, FakeSource, make_registry, make_settings, wms_documents, wms_system

from ingestion.landing import refresh_views
from ingestion.load import load_system
from ingestion.warehouse import warehouse


def main() -> None:
    folder = Path(sys.argv[1])
    system = wms_system()
    settings = make_settings(folder)
    load_system(system, FakeSource(system, wms_documents()), settings, "killed", FakeClock())
    with warehouse(settings) as connection:
        refresh_views(connection, make_registry(folder, system))


if __name__ == "__main__":
    main()
