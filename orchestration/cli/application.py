"""What all commands share: the applications that they belong to, options, consoles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from reporting import as_json

app = typer.Typer(
    help="Keeps ERP, WMS, OMS, carriers and suppliers telling the same story.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
corrections_app = typer.Typer(
    help="Look at corrections and decide about them.", no_args_is_help=True
)
export_app = typer.Typer(help="The published build in open formats.", no_args_is_help=True)
writeback_app = typer.Typer(help="Stop and start the sending.", no_args_is_help=True)
sandbox_app = typer.Typer(help="The pretend distributor.", no_args_is_help=True)
app.add_typer(corrections_app, name="corrections")
app.add_typer(writeback_app, name="writeback")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(export_app, name="export")

console = Console(width=None, highlight=False)
errors = Console(stderr=True, highlight=False)

Home = Annotated[
    Path | None, typer.Option("--home", help="State folder (TALLYMAN_HOME, default .tallyman).")
]
Systems = Annotated[Path | None, typer.Option("--systems", help="Systems file (TALLYMAN_SYSTEMS).")]
JsonPath = Annotated[
    Path | None, typer.Option("--json", help="Also write the result as JSON here.")
]
Port = Annotated[int, typer.Option("--port", help="First of the five ports; 0 takes free ones.")]
Orders = Annotated[int, typer.Option("--orders", min=50, help="Orders of history.")]
World = Annotated[str, typer.Option("--world", help="World file of the sandbox, or its name.")]
WorldOrders = Annotated[
    int | None, typer.Option("--orders", min=50, help="Orders of history, if not the world's.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the pretend world.")]


def say(message: str) -> None:
    """What is being done. What a system answered may be in it: it is text, never markup."""
    console.print(Text.assemble(("·", "dim"), " ", message))


def complain(about: str, message: str) -> None:
    """What went wrong, on the standard error; text, never markup, as in ``say``."""
    errors.print(Text.assemble((about, "red"), " ", message), soft_wrap=True)


def write_json(path: Path | None, content: Any) -> None:
    if path is not None:
        as_json.write_json(path, content)
