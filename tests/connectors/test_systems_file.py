"""The systems file is refused, in words that name the system, where it would do harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.factory import make_source
from orchestration.installation import Installation
from registry.errors import ConfigurationError
from registry.settings import load_settings
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


def test_a_rule_that_there_is_not_is_named(tmp_path: Path) -> None:
    """Else its setting would do nothing, and nobody would know."""
    file = tmp_path / "systems.toml"
    file.write_text("systems = []\n[rules]\nS1.grace_minutes = 45\nS01.grace_minutes = 45\n")
    with pytest.raises(ConfigurationError, match="rules that there are not: S1;"):
        load_registry(file)


def test_an_entity_that_its_connector_has_not_is_named(tmp_path: Path) -> None:
    file = tmp_path / "systems.toml"
    entities = 'entities = ["orderlines", "stock"]\nsecrets.api_key = "KEY"\n'
    file.write_text(SYSTEM.format(url="http://erp.example") + entities)
    (system,) = load_registry(file).systems
    with pytest.raises(ConfigurationError, match=r"'erp' has no entity orderlines; .*stock"):
        make_source(system, {"KEY": "secret"})


@pytest.mark.parametrize("mode", ["off", "dry_run", "on"])
def test_a_system_that_is_only_read_needs_nothing_for_writing(tmp_path: Path, mode: str) -> None:
    """A Tryton with the key for reading alone: it must not stop deliveries to the others."""
    file = tmp_path / "systems.toml"
    file.write_text(
        '[[systems]]\nname = "books"\nrole = "erp"\nconnector = "tryton"\n'
        f'base_url = "http://erp.example"\nwrite_mode = "{mode}"\n'
        'secrets.api_key = "KEY"\n[systems.options]\ndatabase = "books"\n'
    )
    registry = load_registry(file)
    installation = Installation(load_settings(tmp_path, file), registry)
    installation.settings.environment["KEY"] = "secret"
    (system,) = registry.systems
    if mode == "off":
        assert installation.target(system) is None
    else:
        with pytest.raises(ConfigurationError, match="declares no secret"):
            installation.target(system)


def test_secrets_may_be_written_as_for_a_shell(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text(
        '# of the ERP\nPLAIN = a=b \nexport SHELL_LIKE=\'c d\'\nDOUBLE="e"\nODD="f\n'
    )
    environment = load_settings(tmp_path).environment
    told = {name: environment[name] for name in ("PLAIN", "SHELL_LIKE", "DOUBLE", "ODD")}
    assert told == {"PLAIN": "a=b", "SHELL_LIKE": "c d", "DOUBLE": "e", "ODD": '"f'}


@pytest.mark.parametrize(
    ("connector", "option", "told", "complaint"),
    [
        ("demo_erp", "timeout_seconds", '"fast"', "options.timeout_seconds must be a number"),
        ("demo_erp", "timeout_seconds", "true", "options.timeout_seconds must be a number"),
        ("demo_erp", "timeout_seconds", "nan", "options.timeout_seconds must be a number"),
        ("tryton", "company", '"first"', "options.company must be a number"),
        ("tryton", "company", "1.5", "options.company must be a whole number"),
        ("vendure", "look_back_days", '"a week"', "options.look_back_days must be a number"),
        ("vendure", "look_back_days", "1e9", "options.look_back_days must be at most 36500 days"),
        ("vendure", "money_precision", "-2", "options.money_precision must be a number"),
    ],
)
def test_a_wrong_option_is_named(
    tmp_path: Path, connector: str, option: str, told: str, complaint: str
) -> None:
    file = tmp_path / "systems.toml"
    text = SYSTEM.format(url="http://erp.example").replace("demo_erp", connector)
    file.write_text(f'{text}secrets.api_key = "KEY"\noptions.{option} = {told}\n')
    (system,) = load_registry(file).systems
    with pytest.raises(ConfigurationError, match=f"system 'erp': {complaint}"):
        make_source(system, {"KEY": "secret"})


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("http://erp.example", "http://erp:80b", "'erp': base_url 'http://erp:80b' is no address"),
        ("demo_erp", "demo_erp.client", "'demo_erp.client', which does not exist; there are"),
        ("demo_erp", "base", "'base', which does not exist; there are"),
        ("demo_erp", "", "'', which does not exist; there are"),
        (
            "demo_erp",
            'demo_erp"\nhas_no = ["return_lines"]#',
            "'erp': has_no names return_lines, which no erp tells; it may name ",
        ),
        ("\n[[", '\nfolder = "x"\n[[', "systems.toml has wrong settings:\n  folder: "),
        ("[[systems", "# größer\n[[systems", "not UTF-8 .byte 0xf6 in line 2.: save it as UTF-8"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    file = tmp_path / "systems.toml"
    text = SYSTEM.format(url="http://erp.example") + 'secrets.api_key = "KEY"\n'
    file.write_text(text.replace(old, new, 1), encoding="cp1252")
    with pytest.raises(ConfigurationError, match=complaint):
        make_source(load_registry(file).systems[0], {"KEY": "secret"})
