"""dbt's own unit tests, which lie beside the models, run here with everything else."""

from __future__ import annotations

from pathlib import Path

from build import Warehouse
from scenario import Scenario


def test_unit_tests_pass_and_the_models_stand_on_empty_feeds(
    tmp_path: Path, artefacts: Path
) -> None:
    scenario = Scenario()
    scenario.read()
    warehouse = Warehouse(tmp_path, artefacts)
    scenario.write(warehouse.path)
    verdicts = warehouse.build().unit_tests()
    assert verdicts
    assert {name: said for name, said in verdicts.items() if said != "pass"} == {}
    assert warehouse.exceptions("open", "closed", "pending") == set()
