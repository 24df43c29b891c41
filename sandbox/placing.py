"""Files that others wait for: whole or not there."""

from __future__ import annotations

from pathlib import Path


def place(target: Path, text: str, encoding: str = "utf-8", newline: str | None = None) -> None:
    """Write a file, or write it anew; readers never see half of it."""
    draft = target.with_name(f"{target.name}.tmp")
    draft.write_text(text, encoding=encoding, newline=newline)
    draft.replace(target)
