"""The command line. Each command loads what it needs and nothing else: `tallyman exceptions` must
not wait for Dagster to be imported."""

from __future__ import annotations

import logging
import sqlite3
import sys
import warnings

# Importing them is what puts the commands into the application, in the order of the help.
from orchestration.cli import corrections, exports, proofs, reports, running, sandbox  # noqa: F401
from orchestration.cli.application import app, errors
from registry.errors import TallymanError, cause_of


def main() -> None:
    """Entry point: an error meant for people is one message and an exit code, never a traceback."""
    # The terminal shows what we say; what libraries warn of their own future is not for users.
    warnings.filterwarnings("ignore", message=".*currently in (beta|preview).*")
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except TallymanError as error:
        errors.print(f"[red]tallyman:[/red] {error}", soft_wrap=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # A full disk, a file that is no folder, one we may not write: of the machine, not ours.
        place = f" ({error.filename})" if error.filename else ""
        errors.print(
            f"[red]tallyman:[/red] this machine said no: {error.strerror or error}{place}. Nothing "
            "that was finished is lost: mend it and run the command again",
            soft_wrap=True,
        )
        sys.exit(1)
    except Exception as error:
        if not _is_trouble_of_a_store(error):
            raise
        errors.print(
            f"[red]tallyman:[/red] the operations store gave up: {cause_of(error)}. What it had "
            "confirmed is kept: see that its server is up, its disk has room and nobody holds it, "
            "and run the command again",
            soft_wrap=True,
        )
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)


def _is_trouble_of_a_store(error: Exception) -> bool:
    """Without importing SQLAlchemy for it: what was never imported has raised nothing."""
    known = sys.modules.get("sqlalchemy.exc")
    return isinstance(error, sqlite3.Error) or (
        known is not None and isinstance(error, known.OperationalError)
    )
