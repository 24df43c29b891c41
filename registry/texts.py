"""Files that people write: settings, mappings, contracts, profiles."""

from __future__ import annotations

from pathlib import Path

from registry.errors import ConfigurationError


def read_text(path: Path) -> str:
    """The text of a file. Raises ConfigurationError where it can't be opened or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path} is not UTF-8 (byte {error.object[error.start]:#04x} in line {line}): "
            "save it as UTF-8"
        ) from error
