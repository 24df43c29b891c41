"""Errors meant for people: each names the thing and the remedy; printed without a traceback."""


class TallymanError(Exception):
    """Base of every error that the command line prints as one message and exits on with a code."""

    exit_code = 1


class ConfigurationError(TallymanError):
    """The systems file, a contract, a seed or a secret is missing or wrong."""

    exit_code = 2


class WarehouseBusyError(TallymanError):
    """Another process holds the warehouse's lock."""

    exit_code = 3


def cause_of(error: Exception) -> str:
    """What a database's driver said, on one line: SQLAlchemy puts the statement around it."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
