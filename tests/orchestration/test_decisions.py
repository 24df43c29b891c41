"""People decide: on the command line and by the job for the UI, with the same words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.corrections import Action, decision_job
from orchestration.decisions import LOOKS, ON_ONE, ON_TARGETS, look
from orchestration.installation import Installation
from registry.errors import ConfigurationError, TallymanError
from registry.settings import load_settings
from registry.systems import Policy
from writeback import tables
from writeback.clock import SystemClock
from writeback.propose import enqueue
from writeback.states import Event
from writeback.store import OperationsStore

SYSTEMS = """
[[systems]]
name = "partner"
role = "supplier"
connector = "x12"
base_url = "partner"
write_mode = "off"
options.profile = "partner.yaml"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "systems.toml").write_text(SYSTEMS)
    return tmp_path


@pytest.fixture
def store(home: Path) -> OperationsStore:
    store = OperationsStore(load_settings(home).operations_url)
    enqueue(store, [proposal(1)], Policy(), SystemClock())
    return store


def proposal(number: int) -> dict[str, Any]:
    return {
        "rule_id": "O04",
        "object_id": f"SO-{number}/1",
        "target_system": "partner",
        "kind": "cancel_line",
        "old_value": {"state": "open"},
        "new_value": {"state": "cancelled"},
        "payload": {"order_record": f"E{number}", "line_record": "10"},
        "preconditions": [],
        "frontier_at": datetime.now(UTC),
    }


def tallyman(home: Path, *arguments: str) -> str:
    """What the command says; it is run by somebody called maria."""
    options = ["--home", str(home), "--as", "maria", "-m", "as agreed"]
    result = CliRunner().invoke(app, [*arguments, *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return " ".join(result.output.split())


def only(store: OperationsStore) -> Any:
    return store.list()[0]


def move(store: OperationsStore, *events: Event) -> None:
    with store.write() as connection:
        for event in events:
            store.transition(connection, only(store).correction_key, event, store.clock.now())


def test_hold_approve_and_reject_say_what_will_happen(home: Path, store: OperationsStore) -> None:
    key = only(store).correction_key[:12]
    told = tallyman(home, "corrections", "hold", key)
    assert "cancel_line of SO-1/1 in partner, now ready" in told
    assert "not sent until somebody approves it" in told
    assert (only(store).state, only(store).hold_codes) == ("awaiting_approval", ["person"])
    tallyman(home, "corrections", "approve", key)
    assert only(store).state == "ready"
    tallyman(home, "corrections", "hold", key)
    tallyman(home, "corrections", "reject", key)
    assert only(store).state == "rejected"
    decided = [d.decision for d in store.get(key).decisions]
    assert decided == ["held", "approved", "held", "rejected"]


def test_a_held_one_stays_held_when_it_is_proposed_again(
    home: Path, store: OperationsStore
) -> None:
    tallyman(home, "corrections", "hold", only(store).correction_key)
    enqueue(store, [proposal(1)], Policy(), SystemClock())
    assert only(store).state == "awaiting_approval"


def test_a_refused_one_is_tried_again_as_a_new_generation(
    home: Path, store: OperationsStore
) -> None:
    move(store, Event.LEASE, Event.REFUSE)
    told = tallyman(home, "corrections", "retry", only(store).correction_key)
    assert "tried again as" in told
    assert (only(store).generation, only(store).state) == (2, "ready")


def test_dead_ones_are_replayed_together_and_once(home: Path, store: OperationsStore) -> None:
    move(store, Event.LEASE, Event.EXHAUST)
    assert "1 dead corrections of partner" in tallyman(
        home, "corrections", "replay", "--target", "partner"
    )
    assert "0 dead corrections of every target" in tallyman(home, "corrections", "replay")
    assert sorted(str(c.state) for c in store.list()) == ["dead", "ready"]


def test_all_dead_ones_are_replayed_and_a_cut_list_says_so(
    home: Path, store: OperationsStore
) -> None:
    """After a long outage there are thousands, and those that were tried again stay dead."""
    enqueue(store, [proposal(number) for number in range(1, 1204)], Policy(), SystemClock())
    with store.write() as connection:
        connection.execute(sa.update(tables.corrections).values(state="dead"))
    asked = ["corrections", "list", "--home", str(home), "--state", "dead", "--limit", "2"]
    assert "2 of 1,203 shown" in CliRunner().invoke(app, asked).output
    assert "1203 dead corrections" in tallyman(home, "corrections", "replay")
    counts = store.counts_by_state()
    assert (counts["dead"], counts["ready"]) == (1203, 1203)


def test_pausing_one_target_and_all_are_two_things(home: Path, store: OperationsStore) -> None:
    told = tallyman(home, "writeback", "pause", "--target", "partner")
    assert "nothing more is sent there" in told
    assert store.conditions(["partner"]).paused == {"partner": "as agreed (maria)"}
    assert store.kill_switch_reason() is None
    tallyman(home, "writeback", "pause")
    tallyman(home, "writeback", "resume", "--target", "partner")
    assert store.conditions(["partner"]).paused == {}
    assert store.kill_switch_reason() == "as agreed (maria)"
    tallyman(home, "writeback", "resume")
    assert store.kill_switch_reason() is None


def test_the_list_says_what_is_stopped_and_how_it_goes_on(
    home: Path, store: OperationsStore
) -> None:
    """Somebody stops everything at night, and the others wonder why nothing is sent."""

    def listed() -> str:
        return " ".join(
            CliRunner().invoke(app, ["corrections", "list", "--home", str(home)]).output.split()
        )

    assert "Nothing is sent" not in listed()
    tallyman(home, "writeback", "pause", "--target", "partner")
    tallyman(home, "writeback", "pause")
    told = listed()
    assert "Nothing is sent to any target since 20" in told
    assert "by maria: as agreed; it goes on by `tallyman writeback resume`" in told
    assert "Nothing is sent to 'partner'" in told
    assert "`tallyman writeback resume --target partner`" in told
    tallyman(home, "writeback", "resume")
    assert "any target" not in listed() and "'partner'" in listed()
    tallyman(home, "writeback", "resume", "--target", "partner")
    assert store.stops() == []
    store.open_gates("build-1", ["partner"])
    assert "Nothing is sent to partner, or because of what is read there, since 20" in listed()
    assert "the gate is crashed: a pass is under way, or died" in listed()
    assert "crashed: a pass is under way" in " ".join(look(store, [], "").split())
    store.set_gates("build-1", {"partner": (True, "")})
    assert "Nothing is sent" not in listed()


def test_the_brake_is_seen_in_the_list_and_released_by_a_command(
    home: Path, store: OperationsStore
) -> None:
    enqueue(
        store,
        [proposal(number) for number in (1, 2, 3, 4)],
        Policy(max_corrections_per_run=2),
        SystemClock(),
    )
    listed = CliRunner().invoke(app, ["corrections", "list", "--home", str(home)]).output
    assert listed.count("brake") == 3
    told = tallyman(home, "corrections", "release-brake")
    assert "what only the blast-radius brake holds" in told
    assert "3 corrections are released" in told
    assert [str(one.state) for one in store.list()] == ["ready"] * 4


def test_a_target_with_a_typing_error_is_named_and_stops_nothing(home: Path) -> None:
    with pytest.raises(TallymanError, match="no system 'partnr'"):
        tallyman(home, "writeback", "pause", "--target", "partnr")


def test_the_job_for_the_ui_decides_the_same(home: Path, store: OperationsStore) -> None:
    installation = Installation.load(load_settings(home))

    def run(**config: Any) -> str:
        """What the run told; empty when it failed."""
        result = decision_job.execute_in_process(
            run_config={"ops": {"take_decision": {"config": {"actor": "maria", **config}}}},
            resources={"installation": installation},
            raise_on_error=False,
        )
        if not result.success:
            return ""
        (output,) = result.filter_events(lambda event: event.is_successful_output)
        told: str = output.step_output_data.metadata["told"].value
        return told

    key = only(store).correction_key
    assert run(action="hold", keys=[key])
    assert only(store).state == "awaiting_approval"
    assert key[:12] in run(actor="")
    assert "No corrections" in run(action="list", state="dead")
    shown = run(action="show", keys=[key[:12]])
    seen = f"{key}@{only(store).payload_hash[:12]}"
    assert seen in shown and "line_record" in shown and "held" in shown
    assert not run(action="approve", keys=[f"{key}@0000"])
    assert run(action="approve", keys=[seen])
    assert only(store).state == "ready"
    assert not run(action="pause", target="partner", actor="")
    assert run(action="pause", target="partner")
    assert store.conditions(["partner"]).paused == {"partner": " (maria)"}
    assert not run(action="approve")
    assert not run(action="revert", keys=[key])
    with pytest.raises(dg.DagsterInvalidConfigError, match="burn"):
        run(action="burn", keys=[key])
    installation.store.close()


def test_the_job_offers_all_that_there_is() -> None:
    assert {action.value for action in Action} == {*LOOKS, *ON_ONE, *ON_TARGETS}


def test_the_command_approves_what_it_showed(
    home: Path, store: OperationsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content changes while the person reads the question."""
    key = only(store).correction_key
    tallyman(home, "corrections", "hold", key)

    def changes_meanwhile(*_: Any) -> None:
        changed = proposal(1)
        changed["payload"] = {"order_record": "E1", "line_record": "20"}
        enqueue(store, [changed], Policy(), SystemClock())

    monkeypatch.setattr("orchestration.cli.corrections._agree", changes_meanwhile)
    with pytest.raises(TallymanError, match="has changed since it was shown"):
        tallyman(home, "corrections", "approve", key)
    assert only(store).state == "awaiting_approval"
    monkeypatch.undo()
    tallyman(home, "corrections", "approve", key)
    assert only(store).state == "ready"


# ---- the audit log -----------------------------------------------------------------------------


@pytest.fixture
def decided(home: Path, store: OperationsStore) -> OperationsStore:
    tallyman(home, "corrections", "hold", only(store).correction_key)
    tallyman(home, "corrections", "approve", only(store).correction_key)
    tallyman(home, "writeback", "pause")
    return store


def test_every_decision_is_in_the_chain(home: Path, decided: OperationsStore) -> None:
    assert decided.verify_audit().entries == 3
    result = CliRunner().invoke(app, ["corrections", "audit", "--home", str(home)])
    assert "whole: 3 entries" in result.output


def test_an_end_that_was_cut_off_is_found_by_who_kept_its_hash(
    home: Path, decided: OperationsStore
) -> None:
    head = decided.verify_audit().head
    arguments = ["corrections", "audit", "--home", str(home), "--known", head]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    tallyman(home, "writeback", "resume")
    assert decided.verify_audit(head).problem is None
    with decided.write() as connection:
        connection.execute(sa.text("drop trigger audit_no_delete"))
        connection.execute(sa.text("delete from audit where sequence >= 3"))
    assert decided.verify_audit().problem is None
    assert "its end" in str(decided.verify_audit(head).problem)
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_the_log_can_not_be_edited(decided: OperationsStore) -> None:
    for statement in (sa.update(tables.audit).values(actor="jonas"), sa.delete(tables.audit)):
        with pytest.raises(sa.exc.IntegrityError), decided.write() as connection:
            connection.execute(statement)


@pytest.mark.parametrize(
    "forgery",
    [
        "update audit set actor = 'jonas' where sequence = 2",
        "update audit set at = '2020-01-01 00:00:00.000000' where sequence = 1",
        "delete from audit where sequence = 2",
        "delete from audit where sequence = 1",
        "delete from decisions where sequence = 1",
    ],
)
def test_a_forgery_past_the_triggers_is_found(
    home: Path, decided: OperationsStore, forgery: str
) -> None:
    with decided.write() as connection:
        for name in ("audit_no_update", "audit_no_delete", "decisions_no_delete"):
            connection.execute(sa.text(f"drop trigger {name}"))
        connection.execute(sa.text(forgery))
    assert decided.verify_audit().problem is not None
    result = CliRunner().invoke(app, ["corrections", "audit", "--home", str(home)])
    assert result.exit_code == 1


def test_the_command_approves_what_was_shown_and_no_other_content(
    home: Path, store: OperationsStore
) -> None:
    tallyman(home, "corrections", "hold", only(store).correction_key)
    key, content = only(store).correction_key, only(store).payload_hash
    with pytest.raises(TallymanError, match="has changed since it was shown"):
        tallyman(home, "corrections", "approve", f"{key}@0000")
    assert only(store).state == "awaiting_approval"
    tallyman(home, "corrections", "approve", f"{key}@{content[:12]}")
    assert only(store).state == "ready"


def test_the_command_says_the_states(home: Path) -> None:
    result = CliRunner().invoke(app, ["corrections", "list", "--home", str(home), "--state", "foo"])
    assert isinstance(result.exception, ConfigurationError)
    assert "no state 'foo'; there are: proposed, awaiting_approval" in str(result.exception)
