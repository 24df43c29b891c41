"""The systems file is refused, in words that name the system, where it would do harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import ConfigurationError
from registry.systems import load_registry

SYSTEM = """
[[systems]]
name = "erp"
role = "erp"
connector = "demo_erp"
base_url = "{url}"
"""


@pytest.mark.parametrize(
    "url", ["http://maria:geheim@erp.example/api", "https://maria@erp.example"]
)
def test_no_secret_is_part_of_an_address(tmp_path: Path, url: str) -> None:
    file = tmp_path / "systems.toml"
    file.write_text(SYSTEM.format(url=url), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="under secrets") as refusal:
        load_registry(file)
    assert "base_url" in str(refusal.value)
    assert "geheim" not in str(refusal.value)


def test_an_at_sign_after_the_host_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "systems.toml"
    file.write_text(SYSTEM.format(url="http://erp.example/api/@v1"), encoding="utf-8")
    (system,) = load_registry(file).systems
    assert system.base_url.endswith("@v1")
