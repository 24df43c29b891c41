"""Mutants of the engine: small named changes that would do harm, each to be killed by a story.

A mutant is run in a forked process whose ``writeback`` is loaded anew from changed source. What no
story can show (a day must pass, or only the wording of a state is wrong) is killed by a named test.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
FIRST_SEED = 500_001
MOST_SEEDS = 150


@dataclass(frozen=True)
class Mutant:
    """``old`` occurs exactly once in the module's source and becomes ``new``. ``test`` names the
    test that kills it when no story does."""

    name: str
    meaning: str
    module: str
    old: str
    new: str
    test: str = ""


DISPATCH = "tests/writeback/test_dispatch.py::"
PEOPLE = "tests/writeback/test_people.py::"
FOUND = "tests/writeback/test_found_by_simulation.py::"
PROPOSE = "tests/writeback/test_propose.py::"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "new_key_each_retry",
        "each attempt has a key of its own",
        "writeback.model",
        "idempotency_key=self.idempotency_key,",
        'idempotency_key=f"{self.idempotency_key}-{self.attempts}",',
    ),
    Mutant(
        "done_on_200",
        "an answer of 200 counts as proof",
        "writeback.states",
        "Event.ACCEPT: (frozenset({State.SENDING, State.UNKNOWN}), State.ACCEPTED),",
        "Event.ACCEPT: (frozenset({State.SENDING, State.UNKNOWN}), State.VERIFIED),",
    ),
    Mutant(
        "no_preconditions",
        "the authority is not read before sending",
        "writeback.dispatch",
        "broken = first_broken(conditions, self.sources)",
        "broken = None",
    ),
    Mutant(
        "no_look_before_sending",
        "nothing is read before sending",
        "writeback.dispatch",
        "verdict = self._look_before_sending(correction, target)",
        "verdict = None",
    ),
    Mutant(
        "sent_after_the_lease",
        "a process that was stopped sends on what it read long ago",
        "connectors.deadlines",
        "if deadline is not None and deadline.is_within():",
        "if False:",
    ),
    Mutant(
        "deadline_by_time_of_day",
        "a deadline goes by the time of day only, which may be set back",
        "connectors.deadlines",
        "return by_day or self.clock.monotonic()",
        "return by_day or 0.0",
        FOUND + "test_a_clock_that_is_set_back_does_not_lengthen_a_deadline",
    ),
    Mutant(
        "no_deadline",
        "the request carries no deadline",
        "writeback.dispatch",
        "requests = [correction.request(self.deadline) for",
        "requests = [correction.request() for",
    ),
    Mutant(
        "retry_a_422",
        "a refusal is tried again like a failure",
        "writeback.decide",
        "return Decision(Event.REFUSE, reason)",
        "return after_failure(reason, attempts, now, rng, schedule)",
    ),
    Mutant(
        "approval_not_bound",
        "approval survives a change of the content",
        "writeback.propose",
        "same_content = previous.payload_hash == proposal.payload_hash",
        "same_content = True",
        PROPOSE + "test_a_content_change_voids_the_approval",
    ),
    Mutant(
        "approval_of_what_was_not_shown",
        "approving does not compare with what the person saw",
        "writeback.approval",
        "(payload_hash or content) != content",
        "content != content",
    ),
    Mutant(
        "no_approval_by_value",
        "the policy's limits are not asked",
        "writeback.propose",
        "    if kind in policy.approval_kinds:\n",
        "    return None\n    if kind in policy.approval_kinds:\n",
    ),
    Mutant(
        "one_pair_of_eyes",
        "one person may approve anything",
        "writeback.dispatch",
        "return None if len(people) > 1 else",
        "return None if len(people) > 0 else",
        PEOPLE + "test_above_the_limit_two_different_people_must_agree_to_the_same_content",
    ),
    Mutant(
        "pause_ignored",
        "a paused target is asked on",
        "writeback.brakes",
        "for row in connection.execute(_LATEST_PAUSES)",
        "for row in ()",
        PEOPLE + "test_a_paused_target_gets_nothing_and_the_others_go_on",
    ),
    Mutant(
        "audit_unchained",
        "the entries of the audit log are not chained",
        "writeback.audit",
        'if entry["previous_hash"] != previous or digest(entry) != told:',
        "if False:",
        "tests/orchestration/test_decisions.py::test_a_forgery_past_the_triggers_is_found",
    ),
    Mutant(
        "lease_never_expires",
        "what a dead dispatcher held stays with it",
        "writeback.outbox",
        "        if not keys:\n            return []",
        "        if True:\n            return []",
    ),
    Mutant(
        "lease_token_ignored",
        "a dispatcher writes although another one took over",
        "writeback.outbox",
        "            lease_token is not None,\n",
        "            False,\n",
        FOUND + "test_a_sleeper_does_not_take_a_correction_from_who_holds_it_now",
    ),
    Mutant(
        "several_in_flight",
        "an object's next correction does not wait for the one under way",
        "writeback.outbox",
        "is_one_of(other.c.state, IN_FLIGHT),",
        "sa.false(),",
    ),
    Mutant(
        "gates_ignored",
        "a failed gate does not stop sending",
        "writeback.brakes",
        'return self.outcome == "passed"',
        "return True",
    ),
    Mutant(
        "crashed_gate_is_open",
        "only a failed gate stops sending, not a crashed one",
        "writeback.brakes",
        'return self.outcome == "passed"',
        'return self.outcome != "failed"',
    ),
    Mutant(
        "verdict_before_its_build",
        "a good verdict releases what the build before proposed",
        "writeback.brakes",
        'good = ("pending", _NOT_TAKEN_UP) if not_taken_up',
        'good = ("pending", _NOT_TAKEN_UP) if False',
        PROPOSE + "test_a_good_build_releases_what_it_proposes_and_nothing_of_the_build_before",
    ),
    Mutant(
        "kill_switch_ignored",
        "the kill switch stops nothing",
        "writeback.brakes",
        'return f"{reason} ({actor})" if engaged else None',
        "return None",
    ),
    Mutant(
        "no_last_look",
        "gates, switch and breaker are not looked at right before a request",
        "writeback.dispatch",
        "        if refusal is not None:\n            # Nothing was tried",
        "        if False:\n            # Nothing was tried",
        PEOPLE + "test_a_pause_between_lease_and_send_stops_the_send_and_an_undo",
    ),
    Mutant(
        "retry_after_ignored",
        "what the target demands does not lengthen a delay",
        "writeback.decide",
        "if retry_after_seconds is not None and retry_after_seconds > 0:",
        "if False:",
    ),
    Mutant(
        "retry_after_of_problem_ignored",
        "Retry-After is read from the header only",
        "connectors.http",
        "return _retry_after_of_problem(response, now) if text is None else _wish(text, now)",
        "return None if text is None else _wish(text, now)",
    ),
    Mutant(
        "retry_after_date_ignored",
        "Retry-After is read as seconds only",
        "connectors.http",
        "moment = http_date(str(told))",
        "moment = None",
    ),
    Mutant(
        "patience_ends_with_a_decision",
        "an approval forgets what the target demanded",
        "writeback.model",
        "return now if self.next_attempt_at is None else max(now, self.next_attempt_at)",
        "return now",
        FOUND + "test_an_approval_does_not_shorten_what_the_target_asked_for",
    ),
    Mutant(
        "only_one_waits",
        "Retry-After holds back one correction and not the others of the target",
        "writeback.dispatch",
        "if answer.code in _MEANS_THE_SENDER and answer.retry_after_seconds:",
        "if False:",
    ),
    Mutant(
        "breaker_never_opens",
        "a failing target is asked on and on",
        "writeback.dispatch",
        "        if failures >= BREAKER_FAILURES:\n            pauses",
        "        if False:\n            pauses",
        DISPATCH + "test_the_breaker_leaves_a_failing_target_alone_and_then_probes",
    ),
    Mutant(
        "breaker_never_closes",
        "a target that answers again stays left alone",
        "writeback.dispatch",
        "            if failures:\n                self.store.set_breaker(connection, system, 0",
        "            if False:\n                self.store.set_breaker(connection, system, 0",
        DISPATCH + "test_the_breaker_leaves_a_failing_target_alone_and_then_probes",
    ),
    Mutant(
        "failed_looks_uncounted",
        "a target that can't be read is looked at on and on",
        "writeback.dispatch",
        "answer = _failed_look(error) if target_failed else None",
        "answer = None",
        DISPATCH + "test_a_target_that_can_not_be_read_is_left_alone_too",
    ),
    Mutant(
        "failed_read_backs_uncounted",
        "a target at which unknown ones can't be read is asked on and on",
        "writeback.dispatch",
        "entry=entry, counts=False, answer=answer)",
        "entry=entry, counts=False)",
        DISPATCH + "test_failed_looks_at_unknown_ones_slow_down_and_open_the_breaker",
    ),
    Mutant(
        "allowance_of_each_process",
        "a restart forgets how often the target was asked",
        "writeback.allowances",
        "if isinstance(target, Limited) and target.allowance.should_tell:",
        "if False:",
        "tests/writeback/test_allowances.py::test_a_restart_forgets_nothing_that_was_asked",
    ),
    Mutant(
        "attempts_without_end",
        "technical retries go on for ever",
        "writeback.decide",
        "    if attempts >= schedule.max_attempts:\n        return Decision(Event.EXHAUST, "
        'f"gave up after {attempts} attempts: {reason}")\n    due',
        "    due",
        DISPATCH + "test_attempts_are_capped_and_then_it_is_dead",
    ),
    Mutant(
        "any_verdict_is_believed",
        "the evidence of a verdict is not looked at",
        "writeback.verify",
        "if not _is_consistent(verdict, proof):",
        "if False:",
    ),
    Mutant(
        "verified_unseen",
        "verified without the effect observed",
        "writeback.verify",
        'shown = bool(proof.get("effect_observed"))',
        "shown = True",
        "tests/writeback/test_verify.py::"
        "test_a_verdict_that_its_evidence_contradicts_is_not_believed",
    ),
    Mutant(
        "verified_by_an_old_load",
        "verified by an extraction that began before the target accepted",
        "writeback.verify",
        'int(proof.get("exceptions_open") or 0) == 0 and extractions >= 1',
        'int(proof.get("exceptions_open") or 0) == 0',
        "tests/writeback/test_verify.py::"
        "test_a_verdict_that_its_evidence_contradicts_is_not_believed",
    ),
    Mutant(
        "ping_pong_goes_on",
        "an object may be corrected without end",
        "writeback.propose",
        "if past.accepted_lately >= PING_PONG_LIMIT:",
        "if False:",
        "tests/writeback/test_propose.py::test_ping_pong_between_two_values_is_caught_too",
    ),
    Mutant(
        "no_blast_radius_brake",
        "any number of corrections is sent in one go",
        "writeback.propose",
        "if new > policy.max_corrections_per_run:",
        "if False:",
    ),
    Mutant(
        "rejected_until_it_moves",
        "a rejected drift is sent as soon as its values have moved",
        "writeback.propose",
        "        if one.state is State.REJECTED:\n            reason",
        "        if False:\n            reason",
        PROPOSE + "test_what_a_person_said_no_to_is_not_sent_after_its_values_moved",
    ),
    Mutant(
        "held_until_it_moves",
        "a held or braked drift is sent as soon as its values have moved",
        "writeback.propose",
        "    return holds | dict.fromkeys(codes, reason)",
        "    return holds",
        PROPOSE + "test_a_hold_goes_on_when_values_move_and_ends_with_an_approval",
    ),
    Mutant(
        "everything_is_ours",
        "a value that somebody else set counts as our effect",
        "writeback.dispatch",
        "            if ours:\n",
        "            if True:\n",
        DISPATCH + "test_a_human_who_already_fixed_it_leaves_nothing_to_send",
    ),
    Mutant(
        "unknown_is_ours",
        "an unknown one counts as applied whoever did it",
        "writeback.dispatch",
        "if state.applied and state.applied_by_key is not False:",
        "if state.applied:",
        DISPATCH + "test_what_somebody_else_did_while_ours_was_unknown_is_not_ours",
    ),
    Mutant(
        "unknown_sent_blindly",
        "an unknown one is sent again without a read",
        "writeback.dispatch",
        "state = target.read(correction.request())\n        except Exception as error:\n",
        "state = TargetState(False, True)\n        except Exception as error:\n",
        DISPATCH + "test_while_the_target_cannot_be_read_unknown_stays_unknown_for_ever",
    ),
    Mutant(
        "unknown_read_at_once",
        "an unknown one is read while its request may still be on the way",
        "writeback.decide",
        "            due = now + timedelta(seconds=wait)\n            return Decision(Event.LOSE",
        "            due = now\n            return Decision(Event.LOSE",
        DISPATCH + "test_an_unknown_one_is_read_and_not_sent_again",
    ),
    Mutant(
        "let_go_and_read_at_once",
        "what a dispatcher let go is read while its request may still be on the way",
        "writeback.outbox",
        "next_attempt_at=correction.lease_until + wait,",
        "next_attempt_at=now,",
        DISPATCH + "test_what_a_dispatcher_let_go_is_not_read_as_soon_as_its_lease_ends",
    ),
    Mutant(
        "unknown_is_a_failure",
        "no answer counts as not applied",
        "writeback.decide",
        'return Decision(Event.LOSE, f"no certain answer ({reason})", due)',
        'return Decision(Event.POSTPONE, f"no certain answer ({reason})", due)',
        DISPATCH + "test_an_unknown_one_is_read_and_not_sent_again",
    ),
    Mutant(
        "retry_under_the_old_key",
        "a new generation goes out under the key of the old one",
        "writeback.approval",
        '"idempotency_key": idempotency_key(old.proposal_key, generation),',
        '"idempotency_key": old.idempotency_key,',
    ),
    Mutant(
        "unguarded_moves",
        "a state is changed whatever it was",
        "writeback.outbox",
        "        .where(is_one_of(_c.state, allowed))\n    )\n    if with_lease",
        "    )\n    if with_lease",
        "tests/writeback/test_store.py::test_a_transition_is_guarded_by_state_and_lease",
    ),
    Mutant(
        "old_data_propose_anew",
        "a settled correction is repeated from data older than its settlement",
        "writeback.propose",
        "elif previous is None or _may_follow(previous, proposal):",
        "elif True:",
        DISPATCH + "test_after_a_superseded_one_older_data_do_not_send_it_again",
    ),
    Mutant(
        "approval_for_ever",
        "an approval does not expire",
        "writeback.model",
        "            and now < self.approved_until\n",
        "",
        DISPATCH + "test_an_approval_expires",
    ),
    Mutant(
        "conflict_ignored",
        "of two contradicting proposals both are sent",
        "writeback.propose",
        "    if proposal.conflict:\n        holds",
        "    if False:\n        holds",
        PROPOSE + "test_a_conflict_that_appears_stops_a_ready_one_and_its_end_releases_it",
    ),
    Mutant(
        "closed_books_ignored",
        "books that closed since the proposal do not stop a posting",
        "writeback.dispatch",
        "if closed is not None and HOLD_PERIOD not in codes:",
        "if False:",
        "tests/writeback/test_periods.py::"
        "test_books_that_close_after_the_proposal_stop_it_before_it_is_sent",
    ),
    Mutant(
        "silence_is_consent",
        "an item of which a batch's answer says nothing counts as applied",
        "writeback.dispatch",
        'silence = Outcome(Result.UNKNOWN, "item_missing"',
        'silence = Outcome(Result.OK, "item_missing"',
        "tests/writeback/test_batches.py::"
        "test_an_item_that_the_answer_does_not_mention_is_unknown_and_read",
    ),
    Mutant(
        "undo_of_what_came_later",
        "an undo is sent also when the same was sent anew since",
        "writeback.undo",
        "        if later:",
        "        if False:",
        PEOPLE + "test_the_undo_of_one_that_was_sent_anew_since_is_refused",
    ),
    Mutant(
        "wanted_back_is_sent_again",
        "an undo without an answer does not hold the same correction",
        "writeback.propose",
        "if one.correction_key in past.asked_back:",
        "if False:",
        PEOPLE + "test_what_a_person_wanted_back_waits_for_a_person_also_without_an_answer",
    ),
    Mutant(
        "sent_during_an_undo",
        "an object is corrected while a correction of it is taken back",
        "writeback.outbox",
        '                other.c.lease_until > sa.bindparam("now", type_=t.UtcDateTime()),\n',
        "",
        PEOPLE + "test_nothing_is_sent_to_an_object_while_something_of_it_is_taken_back",
    ),
    Mutant(
        "undo_despite_the_switch",
        "an undo is sent while the kill switch is on",
        "writeback.undo",
        "    if stopped is not None:\n",
        "    if False:\n",
        "tests/writeback/test_people.py::test_undo_obeys_kill_switch_and_write_mode",
    ),
)


@dataclass(frozen=True)
class Verdict:
    """How a mutant fared. ``killed_by``: a property or a test; empty when it survived."""

    name: str
    meaning: str
    killed_by: str
    seeds: int


class _ChangedLoader(importlib.machinery.SourceFileLoader):
    """Loads a module from its source as a mutant has it."""

    def __init__(self, mutant: Mutant, path: str) -> None:
        super().__init__(mutant.module, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        return compile(changed_source(self.mutant), self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.mutant.module:
            return None
        location = str(source_path(self.mutant))
        loader = _ChangedLoader(self.mutant, location)
        return importlib.util.spec_from_file_location(fullname, location, loader=loader)


def source_path(mutant: Mutant) -> Path:
    return ROOT / f"{mutant.module.replace('.', '/')}.py"


def changed_source(mutant: Mutant) -> str:
    """The module's source with the change; raises ValueError when it no longer fits."""
    text = source_path(mutant).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(
            f"mutant {mutant.name} no longer fits {mutant.module}: its text occurs "
            f"{text.count(mutant.old)} times"
        )
    return text.replace(mutant.old, mutant.new)


def install(mutant: Mutant) -> None:
    """From now on this process has the mutant: what was loaded of the engine is loaded anew."""
    for name in [name for name, module in sys.modules.items() if _knows_the_engine(name, module)]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(mutant))


def _knows_the_engine(name: str, module: ModuleType) -> bool:
    """Also a test that was imported before: it holds the functions as they were."""
    if name.split(".")[0] in ("writeback", "connectors"):
        return True
    return str(getattr(module, "__file__", None) or "").startswith(str(ROOT / "tests"))


def run_mutants(
    mutants: Sequence[Mutant] = MUTANTS,
    workers: int = 1,
    progress: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Try to kill each mutant, ``workers`` at a time."""
    verdicts = []
    with ThreadPoolExecutor(workers) as pool:
        for verdict in pool.map(run_mutant, mutants):
            progress(verdict)
            verdicts.append(verdict)
    return verdicts


def run_mutant(mutant: Mutant) -> Verdict:
    """Stories until one breaks a property; then, if there is one, the named test."""
    changed_source(mutant)
    killed_by, seeds = _in_a_fork(_stories, mutant)
    if not killed_by and mutant.test and not _in_a_fork(_named_test, mutant)[0]:
        killed_by = mutant.test.rpartition("::")[2]
    return Verdict(mutant.name, mutant.meaning, killed_by, seeds)


def _in_a_fork(work: Callable[[Mutant], tuple[str, int]], mutant: Mutant) -> tuple[str, int]:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def body() -> None:
        install(mutant)
        sender.send(work(mutant))

    process = context.Process(target=body)
    process.start()
    sender.close()
    try:
        answer: tuple[str, int] = receiver.recv()
        return answer
    except EOFError:
        return "broken", 1
    finally:
        process.join()


def _stories(mutant: Mutant) -> tuple[str, int]:
    from writeback.simulation.story import run_story

    most = 10 if mutant.test else MOST_SEEDS
    for number in range(most):
        violations = run_story(FIRST_SEED + number).violations
        if violations:
            return violations[0].property, number + 1
    return "", most


def _named_test(mutant: Mutant) -> tuple[str, int]:
    """("passed", ...) when the test passes in spite of the mutant."""
    import pytest

    os.chdir(ROOT)
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        # Of its own: runs side by side clear away each other's folders.
        tempfile.TemporaryDirectory() as folder,
    ):
        sys.stdout = sys.stderr = nowhere
        code = pytest.main([mutant.test, "-n", "0", "-q", "-x", f"--basetemp={folder}/tests"])
    # Only a failed test is a kill: one that does not exist (codes 4 and 5) kills nothing.
    return ("", 0) if code == pytest.ExitCode.TESTS_FAILED else ("passed", 0)


def as_rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    return [dict(vars(verdict)) for verdict in verdicts]


def survivors(verdicts: Sequence[Verdict]) -> Iterator[str]:
    return (verdict.name for verdict in verdicts if not verdict.killed_by)
