"""Moments that people ask for."""

from __future__ import annotations

from datetime import UTC, datetime

from registry.errors import ConfigurationError


def asked_moment(text: str, what: str, like: str) -> datetime:
    """A moment in UTC from ISO 8601; without a zone it is taken for UTC.

    Raises ConfigurationError, which calls it ``what`` and shows how to write it.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"'{text}' is no {what}: write it like {like}") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
