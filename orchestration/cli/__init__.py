"""The command line. Each command loads what it needs and nothing else: `tallyman exceptions` must
not wait for Dagster to be imported."""

from __future__ import annotations

import logging
import sqlite3
import sys
import warnings

# Importing them is what puts the commands into the application, in the order of the help.
from orchestration.cli import corrections, exports, proofs, reports, running, sandbox  # noqa: F401
from orchestration.cli.application import app, complain
from registry.errors import TallymanError, cause_of


def main() -> None:
    """Entry point: an error meant for people is one message and an exit code, never a traceback."""
    # The terminal shows what we say; what libraries warn of their own future is not for users.
    warnings.filterwarnings("ignore", message=".*currently in (beta|preview).*")
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except TallymanError as error:
        complain("tallyman:", str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        # A full disk, a file that is no folder, one we may not write: of the machine, not ours.
        place = f" ({error.filename})" if error.filename else ""
        complain(
            "tallyman:",
            f"this machine said no: {error.strerror or error}{place}. Nothing that was finished is "
            "lost: mend it and run the command again",
        )
        sys.exit(1)
    except Exception as error:
        remedy = _remedy(error)
        if remedy is None:
            raise
        complain("tallyman:", remedy)
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)


def _remedy(error: Exception) -> str | None:
    """What to say of a database's trouble; None for all else, which is a defect of ours.

    Without importing SQLAlchemy or DuckDB for it: what was never imported has raised nothing.
    """
    store, duckdb = sys.modules.get("sqlalchemy.exc"), sys.modules.get("duckdb")
    if isinstance(error, sqlite3.Error) or (store and isinstance(error, store.OperationalError)):
        return (
            f"the operations store gave up: {cause_of(error)}. What it had confirmed is kept: see "
            "that its server is up, its disk has room and nobody holds it, and run the command "
            "again"
        )
    if duckdb is None or not isinstance(error, duckdb.Error):
        return None
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return (
            f"the build lacks something that this version reads: {cause_of(error)}. It was made by "
            "another version, or was not finished: run `tallyman sync` to build and publish it anew"
        )
    return (
        f"the warehouse gave up: {cause_of(error)}. What was finished is kept, and the last "
        "published build stays: see that the disk has room and the memory suffices "
        "(TALLYMAN_MEMORY_LIMIT), and run the command again"
    )
