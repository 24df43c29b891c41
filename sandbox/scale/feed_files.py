"""The files that let the product read a scale folder: contract, mapping, systems and secrets.

They are written as the product's own documentation describes them; the sandbox imports none of it.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sandbox.clock import NEW_YORK
from sandbox.settings import Credentials

SERVE_PORT = 8790
HOME = "home"
"""The folder, below that of the data, in which the product is to keep what it made of them."""

_COLUMNS = (
    ("event_id", "integer", "BIGINT", "Number of the event.", True),
    ("order_number", "string", "VARCHAR", "Order that it happened to.", True),
    ("kind", "string", "VARCHAR", "What happened, for example shipped.", True),
    ("occurred_at", "timestamp", "TIMESTAMPTZ", "When it happened.", True),
    ("scan_code", "string", "VARCHAR", "The carrier's code, of a scan.", False),
    ("document", "string", "VARCHAR", "Shipment or invoice that it is about.", False),
    ("lines", "integer", "BIGINT", "Lines of the order.", True),
    ("seen_oms", "timestamp", "TIMESTAMPTZ", "When the OMS heard of it; empty: never.", False),
    ("seen_erp", "timestamp", "TIMESTAMPTZ", "When the ERP heard of it; empty: never.", False),
    ("seen_wms", "timestamp", "TIMESTAMPTZ", "When the WMS heard of it; empty: never.", False),
    ("seen_carrier", "timestamp", "TIMESTAMPTZ", "When the carrier recorded it.", False),
)

_SYSTEMS = f"""\
# Scale data of the pretend distributor (tallyman sandbox scale). The systems below the files need
# `tallyman sandbox scale --out . --serve` to run.

[[systems]]
name = "scale_files"
role = "supplier"
connector = "files"
base_url = "."
time_zone = "UTC"
settle_seconds = 0
write_mode = "off"
[systems.options]
mappings = ["order_events.mapping.yaml"]

[[systems]]
name = "scale_oms"
role = "oms"
connector = "demo_oms"
entities = ["products", "order_lines"]
base_url = "http://127.0.0.1:{SERVE_PORT}"
page_size = 1000
requests_per_second = 1000
write_mode = "off"
secrets.token = "TALLYMAN_DEMO_OMS_TOKEN"

[[systems]]
name = "scale_erp"
role = "erp"
connector = "demo_erp"
entities = [
  "items", "sales_order_lines", "fulfilment_lines", "invoice_lines", "stock_movements", "stock",
]
base_url = "http://127.0.0.1:{SERVE_PORT}"
time_zone = "{NEW_YORK.key}"
page_size = 1000
requests_per_second = 1000
write_mode = "off"
secrets.api_key = "TALLYMAN_DEMO_ERP_API_KEY"

[[systems]]
name = "scale_wms"
role = "wms"
connector = "demo_wms"
entities = ["items", "order_lines", "shipment_lines", "transactions", "inventory"]
base_url = "http://127.0.0.1:{SERVE_PORT}"
page_size = 1000
requests_per_second = 1000
write_mode = "off"
secrets.user = "TALLYMAN_DEMO_WMS_USER"
secrets.password = "TALLYMAN_DEMO_WMS_PASSWORD"

[[systems]]
name = "scale_carrier"
role = "carrier"
connector = "demo_carrier"
base_url = "http://127.0.0.1:{SERVE_PORT}"
page_size = 1000
requests_per_second = 1000
write_mode = "off"
secrets.client_id = "TALLYMAN_DEMO_CARRIER_CLIENT_ID"
secrets.client_secret = "TALLYMAN_DEMO_CARRIER_CLIENT_SECRET"
"""


def write_feed(out: Path) -> None:
    """Write the four files."""
    folder = out / "contracts" / "files"
    folder.mkdir(parents=True)
    (folder / "order_events.yaml").write_text(_contract(), encoding="utf-8")
    mapping = [
        "entity: order_events",
        'files: "order_events/*.parquet"',
        "format: parquet",
        'record_id: "{event_id}"',
        'reference: "{order_number}"',
        "columns:",
        *(f"  {name}: {{from: {name}}}" for name, *_ in _COLUMNS),
    ]
    (out / "order_events.mapping.yaml").write_text("\n".join(mapping) + "\n", encoding="utf-8")
    (out / "systems.toml").write_text(_SYSTEMS, encoding="utf-8")
    (out / HOME).mkdir()
    secrets = out / HOME / "secrets.env"
    given = asdict(Credentials()).items()
    secrets.write_text(
        "".join(f"TALLYMAN_DEMO_{name.upper()}={value}\n" for name, value in given),
        encoding="utf-8",
    )
    secrets.chmod(0o600)


def _contract() -> str:
    lines = [
        "apiVersion: v3.1.0",
        "kind: DataContract",
        "id: files.order_events",
        "name: Order events",
        "version: 1.0.0",
        "status: active",
        "domain: orders",
        "dataProduct: files",
        "description:",
        "  purpose: What happened to pretend orders, for benchmarks.",
        "schema:",
        "  - name: order_events",
        "    logicalType: object",
        "    physicalType: table",
        "    dataGranularityDescription: One event.",
        "    customProperties:",
        "      - {property: recordIdColumns, value: [event_id]}",
        "      - {property: recordIdSeparator, value: /}",
        "      - {property: referenceColumn, value: order_number}",
        "      - {property: snapshot, value: false}",
        "    properties:",
    ]
    for name, logical, physical, about, required in _COLUMNS:
        lines += [
            f"      - name: {name}",
            f'        description: "{about}"',
            f"        logicalType: {logical}",
            f"        physicalType: {physical}",
        ]
        if required:
            lines.append("        required: true")
        if name == "event_id":
            lines += ["        primaryKey: true", "        primaryKeyPosition: 1"]
        if logical == "timestamp":
            lines.append("        customProperties: [{property: timeZone, value: offset}]")
    return "\n".join(lines) + "\n"
