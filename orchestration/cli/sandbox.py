"""Commands of the pretend distributor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.application import Home, Port, Seed, World, WorldOrders, sandbox_app, say
from registry.settings import load_settings


@sandbox_app.command("up")
def sandbox_up(
    home: Home = None,
    port: Port = 8700,
    world: World = "demo",
    orders: WorldOrders = None,
    seed: Seed = None,
    live: Annotated[
        float | None, typer.Option(min=1.0, help="Go on, this many times as fast as real time.")
    ] = None,
) -> None:
    """Serve the pretend distributor until interrupted, and write the systems file for it."""
    from threading import Event

    from orchestration.pretend import pretend_distributor

    folder = load_settings(home).home
    choices = {"orders": orders, "seed": seed, "live": live}
    with pretend_distributor(folder, port, world, **choices) as (settings, handle):
        for name, url in handle.urls.items():
            say(f"{name:8} {url}")
        say(f"look at an order, break it: {handle.urls['admin']}/")
        say(f"systems file: {settings.systems_file}   (Ctrl-C stops)")
        Event().wait()


@sandbox_app.command("inject")
def sandbox_inject(
    kind: str,
    count: Annotated[int, typer.Option(min=1, max=50)] = 1,
    home: Home = None,
) -> None:
    """Break something in a running pretend distributor, already overdue."""
    from orchestration.pretend import inject

    for fault in inject(load_settings(home).home, kind, count):
        expected = ", ".join(f"{e['rule']} {e['object']}" for e in fault["expected"])
        say(f"{fault['fault_id']} {kind}: expect {expected or 'nothing'}")


@sandbox_app.command("scale")
def sandbox_scale(
    out: Annotated[Path, typer.Option("--out", help="Folder of the data; empty to write them.")],
    events: Annotated[
        int | None, typer.Option("--events", min=1, help="Write at least so many order events.")
    ] = None,
    seed: Seed = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the folder over HTTP.")] = False,
    port: Annotated[
        int, typer.Option("--port", help="Port to serve on (systems.toml names 8790).")
    ] = 8790,
) -> None:
    """Write data of the same kinds by the million, for benchmarks, and serve them."""
    from shlex import quote
    from threading import Event

    from orchestration.pretend import served_scale, write_scale
    from sandbox.scale.feed_files import HOME as SCALE_HOME

    if events is None and not serve:
        raise typer.BadParameter("say --events N to write, --serve to serve, or both")
    if events is not None:
        written = write_scale(out, events, seed)
        for name, count in written["counts"].items():
            say(f"{name:18} {count:>12,}")
        rate = written["counts"]["order_events"] / written["seconds"]
        size = written["bytes"] / 1e6
        say(f"{size:,.0f} MB in {written['seconds']:.1f} s, {rate:,.0f} order events a second")
        if not serve:
            say(f"serve them: .venv/bin/tallyman sandbox scale --serve --out {quote(str(out))}")
        home, systems = quote(str(out / SCALE_HOME)), quote(str(out / "systems.toml"))
        say(f"meanwhile read them: .venv/bin/tallyman sync --home {home} --systems {systems}")
    if serve:
        with served_scale(out, port) as url:
            say(f"OMS, ERP, WMS and carrier dialects at {url}   (Ctrl-C stops)")
            Event().wait()
