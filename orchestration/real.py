"""`tallyman real`: the whole loop against real systems that are broken by hand, with its score."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from orchestration.demo import MAXIMUM_PASSES, DemoError, proof_delay
from orchestration.installation import Installation
from orchestration.passes import Loop, PassReport, open_instance
from real.story import CUSTOMERS, Systems, started
from registry.settings import PROJECT_ROOT, Settings, load_settings

TEMPLATE = PROJECT_ROOT / "examples" / "real"


def _configure(systems: Systems, home: Path) -> Settings:
    """Write the systems file of the running systems and their secrets; returns the settings."""
    home.mkdir(parents=True, exist_ok=True)
    places = {
        "shop_url": systems.access.url,
        "erp_url": systems.databases["erp"].url,
        "wms_url": systems.databases["wms"].url,
        "partner_folder": str(systems.partner.folder),
        "carrier_folder": str(systems.carrier.inbox),
        "any_customer": next(iter(CUSTOMERS)),
    }
    text = (TEMPLATE / "systems.toml").read_text(encoding="utf-8")
    for name, place in places.items():
        text = text.replace(f"{{{name}}}", place)
    (home / "systems.toml").write_text(text, encoding="utf-8")
    shutil.copyfile(TEMPLATE / "partner.yaml", home / "partner.yaml")
    connector = systems.databases["erp"]
    secrets = {
        "SHOP_KEY": systems.access.api_key,
        "ERP_KEY": systems.databases["erp"].keys["connector"],
        "WMS_KEY": systems.databases["wms"].keys["connector"],
        "TRYTON_USER": connector.user,
        "TRYTON_PASSWORD": connector.password,
    }
    path = home / "secrets.env"
    path.touch(mode=0o600)
    path.write_text(
        "# Of systems that hold nothing but a story.\n"
        + "".join(f"TALLYMAN_REAL_{name}={value}\n" for name, value in secrets.items()),
        encoding="utf-8",
    )
    return load_settings(home, home / "systems.toml")
