"""The pretend distributor keeps out of what is somebody's: it would overwrite it without asking."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestration.pretend import MARK, OF_AN_INSTALLATION, pretend_distributor
from registry.errors import ConfigurationError
from registry.settings import PROJECT_ROOT


def up(home: Path) -> Path:
    """Where its systems file is."""
    choices = {"orders": 5, "faults_per_kind": 0, "decoys_per_kind": 0}
    with pretend_distributor(home, 0, **choices) as (settings, _):
        return settings.systems_file


def test_it_starts_again_where_it_was(tmp_path: Path) -> None:
    assert up(tmp_path / "home") == up(tmp_path / "home") == tmp_path / "home" / "systems.toml"


@pytest.mark.parametrize(
    "name", ["systems.toml", "secrets.env", "warehouse.duckdb", "operations.sqlite"]
)
def test_an_installation_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(ConfigurationError, match=rf"holds {name}.*--home"):
        up(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "somebody's"


@pytest.mark.parametrize("name", OF_AN_INSTALLATION)
def test_make_clean_removes_the_demo_and_leaves_an_installation(tmp_path: Path, name: str) -> None:
    shutil.copyfile(PROJECT_ROOT / "Makefile", tmp_path / "Makefile")
    home = tmp_path / ".tallyman"
    home.mkdir()
    (home / "systems.toml").write_text(f"# Copied from an example.\n{MARK}\n")
    (home / name).touch()
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert ".tallyman is an installation of its own" in done.stderr
    assert (home / name).exists()
    (home / "systems.toml").write_text(f"{MARK}\n")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert not home.exists()


def test_a_store_elsewhere_gets_no_pretend_corrections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYMAN_OPERATIONS_URL", f"sqlite:///{tmp_path / 'real.sqlite'}")
    with pytest.raises(ConfigurationError, match="unset it"):
        up(tmp_path / "home")
    assert not (tmp_path / "real.sqlite").exists()
