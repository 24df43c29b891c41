"""Commands that write a published build in open formats."""

from __future__ import annotations

from pathlib import Path

from orchestration.cli.application import Home, console, export_app
from registry.settings import load_settings


@export_app.command("ocel")
def export_ocel(path: Path, home: Home = None) -> None:
    """The published build as an OCEL 2.0 event log (.sqlite or .json) for process mining."""
    from reporting.exports import ocel
    from reporting.publish import published_connection

    with published_connection(load_settings(home)) as connection:
        written = ocel.export_ocel(connection, path)
    console.print(
        f"{path}: {written.events:,} events ({written.milestones:,} milestones), "
        f"{written.objects:,} objects ({written.orders:,} orders), {written.relations:,} relations",
        soft_wrap=True,
        markup=False,
    )


@export_app.command("epcis")
def export_epcis(path: Path, home: Home = None) -> None:
    """The milestones of the published build as an EPCIS 2.0 document (JSON-LD)."""
    from datetime import UTC, datetime

    from reporting.exports import epcis
    from reporting.publish import published_connection

    with published_connection(load_settings(home)) as connection:
        written = epcis.export_epcis(connection, path, datetime.now(UTC))
    console.print(
        f"{path}: {written.events:,} events, {written.declared_errors:,} with an error declaration",
        soft_wrap=True,
        markup=False,
    )
