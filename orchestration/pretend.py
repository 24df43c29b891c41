"""Starting the pretend distributor for demo and dev, as a process or a thread beside ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from registry.errors import ConfigurationError, TallymanError
from registry.settings import PROJECT_ROOT, Settings, load_settings


class SandboxError(TallymanError):
    """The pretend distributor is not there, or refuses."""


TEMPLATE = PROJECT_ROOT / "examples" / "demo" / "systems.toml"
HOME_SYSTEMS = ("oms", "erp")
"""What serves the home region only, where there is another one."""
DROPS_EVERY_SECONDS = 60.0
"""How often files are dropped where somebody waits for them in real time."""
PARTNER_TEMPLATES = PROJECT_ROOT / "examples" / "full"
MARK = "# The pretend distributor"
"""How a systems file begins that was written here."""
OF_AN_INSTALLATION = ("systems.toml", "secrets.env", "warehouse.duckdb", "operations.sqlite")


# What more systems tell in a world with a business process: an entity by which the template's list
# of a system's entities is known, and the one that comes beside it.
PROCESS_ENTITIES: dict[str, tuple[tuple[str, str], ...]] = {
    "purchasing": (("inventory", "receipt_lines"),),
    "channels": (("products", "availability"),),
    "returns": (("inventory", "return_lines"), ("stock", "settlement_lines")),
    "periods": (("stock", "periods"),),
    "payments": (("stock", "settlement_lines"),),
}


@dataclass(frozen=True)
class Drops:
    """Folders into which systems drop files and carriers push scans, by their names, and how often
    files are dropped, in seconds."""

    folders: dict[str, Path]
    pushes: dict[str, Path]
    every: float


def write_configuration(
    home: Path,
    urls: dict[str, str],
    credentials: dict[str, str],
    partners: dict[str, dict[str, Path]] | None = None,
    processes: Iterable[str] = (),
    drops: Drops | None = None,
) -> Settings:
    """Write the systems file and pretend secrets of a running sandbox; returns the settings.

    ``partners``: by kind and name the folder of each that exchanges X12 files; it gets a profile.
    ``processes``: the business processes of the world, of which systems tell more. ``drops``: the
    ERPs of other regions; then what serves the home region says so.
    """
    home.mkdir(parents=True, exist_ok=True)
    text = TEMPLATE.read_text(encoding="utf-8")
    for process in processes:
        for beside, entity in PROCESS_ENTITIES.get(process, ()):
            if f'"{entity}"' not in text:
                text = text.replace(f'"{beside}"', f'"{beside}", "{entity}"')
    for name, url in urls.items():
        text = text.replace(f"{{{name}_url}}", url)
    for kind, folders in (partners or {}).items():
        for partner, folder in folders.items():
            text += _partner(home, kind, partner, folder)
    drops = drops or Drops({}, {}, DROPS_EVERY_SECONDS)
    for name, folder in drops.folders.items():
        for system in HOME_SYSTEMS:
            text = text.replace(f'name = "{system}"\n', f'name = "{system}"\nregion = "home"\n', 1)
        text += _dropping(home, name, folder, drops.every)
    for name, folder in drops.pushes.items():
        text += _dropping(home, f"carrier_{name}", folder, drops.every)
    (home / "systems.toml").write_text(text, encoding="utf-8")
    secrets = home / "secrets.env"
    secrets.write_text(
        "# Credentials of the pretend distributor: not secret.\n"
        + "".join(f"{name}={value}\n" for name, value in credentials.items()),
        encoding="utf-8",
    )
    secrets.chmod(0o600)
    return load_settings(home, home / "systems.toml")


def _partner(home: Path, kind: str, partner: str, folder: Path) -> str:
    """Write a partner's profile; returns its entry of the systems file."""
    name = f"{kind}_{partner.lower()}"
    profile = home / f"{name}.yaml"
    values = {"name": name, "id": partner, "folder": str(folder), "profile": str(profile)}
    texts = {}
    for form in ("yaml", "toml"):
        template = PARTNER_TEMPLATES / f"{kind}.{form}"
        texts[form] = template.read_text(encoding="utf-8")
        for key, value in values.items():
            texts[form] = texts[form].replace(f'"{{{key}}}"', json.dumps(value))
    profile.write_text(texts["yaml"], encoding="utf-8")
    return texts["toml"]


def _dropping(home: Path, name: str, folder: Path, every: float) -> str:
    """Put the mappings of a system that drops files beside the systems file; returns its entry."""
    for mapping in PARTNER_TEMPLATES.glob(f"{name}_*.mapping.yaml"):
        shutil.copyfile(mapping, home / mapping.name)
    text = (PARTNER_TEMPLATES / f"{name}.toml").read_text(encoding="utf-8")
    values = {"name": name, "folder": str(folder)}
    for key, value in values.items():
        text = text.replace(f'"{{{key}}}"', json.dumps(value))
    # A file that is due may take a moment; a push comes within half an hour of its scan.
    return text.replace("{settle_seconds}", f"{every + 60:g}")


def leave_alone_what_is_real(home: Path) -> None:
    """Raises ConfigurationError where the demo would overwrite somebody's configuration, or load
    a pretend world into his warehouse or his store of corrections."""
    systems = home / "systems.toml"
    is_ours = systems.is_file() and systems.read_text(encoding="utf-8").startswith(MARK)
    found = [name for name in OF_AN_INSTALLATION if (home / name).exists()]
    if found and not is_ours:
        raise ConfigurationError(
            f"{home} is an installation of its own (it holds {', '.join(found)}), and the pretend "
            "distributor would overwrite it: name another folder with --home, or unset "
            "TALLYMAN_HOME"
        )
    keep_to_a_store_of_its_own(home)


def keep_to_a_store_of_its_own(home: Path) -> None:
    """Raises ConfigurationError where corrections of a trial would go to a store elsewhere."""
    if "TALLYMAN_OPERATIONS_URL" in load_settings(home).environment:
        raise ConfigurationError(
            "TALLYMAN_OPERATIONS_URL is set, so that pretend corrections would stand among those "
            "of that store: unset it"
        )


def secrets_of(credentials: Any) -> dict[str, str]:
    """The sandbox's credentials under the names that the systems file refers to."""
    return {f"TALLYMAN_DEMO_{name.upper()}": value for name, value in asdict(credentials).items()}


@contextmanager
def pretend_distributor(
    home: Path, base_port: int, world: str = "demo", **changes: Any
) -> Iterator[tuple[Settings, Any]]:
    """Run the sandbox in a thread of this process; yields our settings for it and its handle.

    ``world``: a world file or the name of one; ``changes`` (orders, seed, live) are made to it if
    they are not None. Raises SandboxError, and ConfigurationError where ``home`` is not ours.
    """
    leave_alone_what_is_real(home)
    from sandbox.server import running_sandbox
    from sandbox.worldfile import read_world

    with refusals_told():
        choices = read_world(world, drop_seconds=DROPS_EVERY_SECONDS, **changes)
    with refusals_told(), running_sandbox(home / "sandbox", base_port, choices) as handle:
        (home / "sandbox" / "admin.url").write_text(handle.urls["admin"], encoding="utf-8")
        secrets = secrets_of(handle.credentials)
        yield (
            write_configuration(
                home,
                handle.urls,
                secrets,
                handle.partners,
                handle.processes,
                Drops(handle.drops, handle.pushes, choices.drop_seconds),
            ),
            handle,
        )


def inject(home: Path, kind: str, count: int) -> list[dict[str, Any]]:
    """Ask the running sandbox of ``home`` for faults; returns their truth rows."""
    place = home / "sandbox" / "admin.url"
    if not place.is_file():
        raise SandboxError("no pretend distributor is running here: start `tallyman sandbox up`")
    url = place.read_text(encoding="utf-8").strip()
    try:
        answer = httpx.post(f"{url}/admin/inject", json={"kind": kind, "count": count}, timeout=30)
    except httpx.TransportError as error:
        raise SandboxError(
            f"the pretend distributor does not answer at {url}: start `tallyman sandbox up`"
        ) from error
    if answer.status_code >= 400:
        raise SandboxError(f"cannot inject '{kind}': {answer.json().get('detail', answer.text)}")
    return list(answer.json()["faults"])


def write_scale(out: Path, events: int, seed: int | None) -> dict[str, Any]:
    """Write scale data into an empty folder; returns its manifest with the seconds it took."""
    from sandbox.scale.plan import ScalePlan
    from sandbox.scale.write import write_scale as write

    plan = ScalePlan(events) if seed is None else ScalePlan(events, seed=seed)
    with refusals_told():
        return write(plan, out)


@contextmanager
def served_scale(out: Path, port: int) -> Iterator[str]:
    """Serve scale data in a thread of this process; yields the base URL."""
    from sandbox.scale.serve import running_scale

    with refusals_told(), running_scale(out, port) as url:
        yield url


@contextmanager
def refusals_told() -> Iterator[None]:
    """What the sandbox refuses is told as our own errors are: one message, no traceback."""
    from sandbox.errors import SandboxError as Refused

    try:
        yield
    except Refused as error:
        raise SandboxError(str(error)) from error
