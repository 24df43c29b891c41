"""Nothing that went wrong may hide from the score: each sabotage must show, and only itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import PASSES, PAYLOAD, after, decoy, fault, perfect, sent, sighting, written

from orchestration.evaluation.judging import UNEXPLAINED, Counts, judge
from orchestration.scoring import identifiers


def counts(evidence, kind: str = "F1") -> Counts:
    return judge(evidence).kinds[kind]


def test_a_perfect_world_leaves_no_remark():
    judgement = judge(perfect())
    found = judgement.kinds["F1"]
    assert judgement.remarks == []
    assert (found.injected, found.detectable, found.found, found.missed) == (1, 1, 1, 0)
    assert (found.correctable, found.corrected, found.wrong, found.doubled) == (1, 1, 0, 0)
    assert judgement.kinds["fresh_shipment"].decoys == 1
    assert judgement.kinds["fresh_shipment"].decoys_reported == 0


def test_a_missed_fault_is_missed():
    result = counts(perfect(sightings=[]))
    assert (result.found, result.missed, result.delays) == (0, 1, [])


def test_one_of_two_symptoms_is_not_enough():
    both = [{"rule": rule, "object": "SO-100001/1"} for rule in ("S01", "F01")]
    assert counts(perfect(truth=[fault(expected=both)])).missed == 1


def test_a_detectable_fault_without_an_expected_rule_cannot_be_found():
    assert counts(perfect(truth=[fault(expected=[])])).missed == 1


def test_what_does_not_close_by_itself_although_its_cause_is_over_is_remarked():
    left = perfect(
        truth=[fault(expected_correction=None)],
        ledger=[],
        open_at_end=frozenset({("F01", "SO-100001/1")}),
    )
    assert judge(left).remarks == []
    over = [fault(expected_correction=None, expected_to_close=True)]
    assert judge(replace(left, truth=over, open_at_end=frozenset())).remarks == []
    assert judge(replace(left, truth=over)).remarks == ["still open F1 FLT-0001: F01 SO-100001/1"]


def test_a_false_alarm_counts_and_nothing_explains_it():
    result = counts(perfect(sightings=[sighting(), sighting("S01", "SO-199999/1")]), UNEXPLAINED)
    assert result.false == 1


@pytest.mark.parametrize("name", ["SO-100002/1", "SO-100002"])
def test_an_alarm_about_a_decoy_reports_it(name):
    result = counts(perfect(sightings=[sighting(), sighting("S01", name)]), "fresh_shipment")
    assert (result.false, result.decoys_reported) == (1, 1)


def test_another_rule_on_the_object_of_a_fault_is_false_and_named_by_its_kind():
    assert counts(perfect(sightings=[sighting(), sighting("O05")])).false == 1


def test_a_place_or_a_line_number_makes_nothing_the_same():
    assert identifiers(decoy()["entity_keys"]) == {"SO-100002"}
    assert identifiers({"gtin": "00850010000688", "price": "12.50"}) == {"00850010000688"}


def test_the_delay_counts_from_the_deadline_and_never_below_zero():
    assert counts(perfect()).delays == [30.0]
    assert counts(perfect(sightings=[sighting(seconds=5)])).delays == [0.0]


def test_a_second_invoice_for_one_shipment_is_doubled():
    twice = [written(), written("k2", "I900002")]
    result = counts(perfect(ledger=twice, sent=[sent(), sent("k2")]))
    assert (result.doubled, result.wrong, result.corrected) == (1, 0, 1)


def test_a_write_that_no_fault_asked_for_is_wrong():
    stray = written("k2", "I900009", ship_ref="SHP-000777")
    assert counts(perfect(ledger=[written(), stray]), UNEXPLAINED).wrong == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"sent": [sent(lines=[{"line_record": "10", "quantity": "4"}])]},
        {"sent": [sent(document="SHP-000002")]},
        {"sent": []},
        {"ledger": [written(lines=[{"pos": 10, "qty": "4.000"}])]},
        {"ledger": [written(key=None)]},
    ],
    ids=["other quantity", "other document", "not ours", "written otherwise", "without our key"],
)
def test_a_correction_that_is_not_exactly_the_expected_one_is_wrong(changes):
    result = counts(perfect(**changes))
    assert (result.corrected, result.wrong) == (0, 1)


def test_a_correction_that_never_came_is_not_corrected():
    judgement = judge(perfect(ledger=[]))
    assert judgement.kinds["F1"].corrected == 0
    assert judgement.remarks == ["not corrected F1 FLT-0001: erp create_invoice"]


def test_every_step_and_every_line_must_be_written():
    expected = {
        "system": "erp",
        "kind": "create_invoice",
        "payload": PAYLOAD,
        "followed_by": {
            "system": "oms",
            "kind": "set_delivered",
            "payload": {"line_record": "1"},
            "each_of_lines": ["1", "2"],
        },
    }
    remarks = judge(perfect(truth=[fault(expected_correction=expected)])).remarks
    assert remarks == ["not corrected F1 FLT-0001: oms set_delivered"] * 2


def test_grouping_pairs_causes_with_what_was_told():
    assert judge(perfect()).grouping == [("cause-1", "incident-1")]


def test_what_a_target_makes_of_one_request_twice_is_not_doubled_by_us():
    twice = [written(), written("k1", "I900002")]
    result = counts(perfect(ledger=twice))
    assert (result.doubled, result.wrong, result.corrected) == (0, 0, 1)


UNWILLING = {
    "expected_correction": None,
    "expected_attempt": {"system": "erp", "kind": "create_invoice", "payload": PAYLOAD},
    "expected_states": ["refused"],
}


def ended(state: str):
    return replace(sent(), state=state)


def test_a_correction_that_its_target_refuses_ends_refused_and_leaves_nothing():
    evidence = perfect(truth=[fault(**UNWILLING)], ledger=[], sent=[ended("refused")])
    judgement = judge(evidence)
    assert judgement.remarks == []
    assert (judgement.kinds["F1"].found, judgement.kinds["F1"].correctable) == (1, 0)


@pytest.mark.parametrize("tried", [[], [ended("verified")]], ids=["never sent", "verified"])
def test_a_correction_that_ended_otherwise_is_remarked(tried):
    evidence = perfect(truth=[fault(**UNWILLING)], ledger=[], sent=tried)
    (remark,) = judge(evidence).remarks
    assert remark.startswith("ended otherwise F1 FLT-0001:")


def test_what_was_written_although_the_target_refuses_is_wrong():
    evidence = perfect(truth=[fault(**UNWILLING)], sent=[ended("refused")])
    assert counts(evidence).wrong == 1


def test_what_was_seen_before_its_fault_was_injected_is_false_and_finds_nothing():
    early = judge(perfect(truth=[fault(injected_at="2026-11-02T12:05:00.000Z")]))
    assert (early.kinds["F1"].found, early.kinds["F1"].missed) == (0, 1)
    assert early.kinds["F1"].false == 1


def test_an_alarm_about_a_decoy_whose_key_a_later_fault_expects_reports_the_decoy():
    feed = [{"rule": "F01", "object": "SO-100002"}]
    later = fault(
        fault_id="FLT-0002",
        injected_at="2026-11-02T12:05:00.000Z",
        expected=feed,
        expected_correction=None,
    )
    alarm = sighting(name="SO-100002")
    judgement = judge(perfect(truth=[fault(), later, decoy()], sightings=[sighting(), alarm]))
    assert judgement.kinds["fresh_shipment"].decoys_reported == 1
    assert judgement.kinds["F1"].missed == 1


@pytest.mark.parametrize(("seen_again", "found"), [((200, 400), 2), ((200,), 1)])
def test_the_later_of_two_faults_with_one_key_must_be_seen_after_its_injection(seen_again, found):
    later = fault(
        fault_id="FLT-0002", injected_at="2026-11-02T12:05:00.000Z", expected_correction=None
    )
    seen = sighting(seconds=90, again=seen_again)
    result = counts(perfect(truth=[fault(), later], sightings=[seen], passes=PASSES))
    assert (result.found, result.false) == (found, 0)


def test_the_later_of_two_faults_with_one_key_may_open_another_episode():
    later = fault(
        fault_id="FLT-0002", injected_at="2026-11-02T12:05:00.000Z", expected_correction=None
    )
    episodes = [sighting(), sighting(seconds=400, exception="second")]
    assert counts(perfect(truth=[fault(), later], sightings=episodes)).found == 2


def test_what_the_first_pass_after_the_deadline_did_not_show_is_late():
    evidence = perfect(passes=PASSES, sightings=[sighting(seconds=200)])
    judgement = judge(evidence)
    assert (judgement.kinds["F1"].found, judgement.kinds["F1"].late) == (1, 1)
    assert judgement.remarks == ["late F1 FLT-0001: due in the pass of 90 s, seen in that of 200 s"]
    assert counts(perfect(passes=PASSES)).late == 0


def test_what_a_correction_mended_must_be_closed_at_the_end():
    left = perfect(open_at_end=frozenset({("F01", "SO-100001/1")}))
    assert judge(left).remarks == ["still open F1 FLT-0001: F01 SO-100001/1"]
    known = [fault(expected_open=[{"rule": "F01", "object": "SO-100001/1"}])]
    assert judge(replace(left, truth=known)).remarks == []
    unwilling = replace(left, truth=[fault(**UNWILLING)], ledger=[], sent=[ended("refused")])
    assert judge(unwilling).remarks == []


AFTER = {"erp": {"invoices": {"ship_ref": "SHP-000001", "pos": 10, "qty": "5.000", "stat": "P"}}}
INVOICE = {"ship_ref": "SHP-000001", "stat": "P", "lines": [{"pos": 10, "qty": "5.000"}]}


def documents(**changes):
    return {"erp": {"invoices": [{"ship_ref": "SHP-000009"}, INVOICE | changes]}}


def test_the_state_after_a_correction_is_compared_with_the_documents():
    truth = [fault(expected_after_state=AFTER)]
    assert judge(perfect(truth=truth, documents=documents())).remarks == []
    for wrong in ({"stat": "V"}, {"lines": [{"pos": 10, "qty": "4.000"}]}):
        judgement = judge(perfect(truth=truth, documents=documents(**wrong)))
        (remark,) = judgement.remarks
        assert remark.startswith("not so afterwards F1 FLT-0001: erp invoices ")
        assert judgement.kinds["F1"].corrected == 0


def test_a_state_may_name_several_documents_and_the_field_of_another():
    pair = {"erp": {"invoices": [{"ship_ref": "SHP-000001"}, {"ship_ref": "SHP-000009"}]}}
    same = {"in": "wms", "entity": "stock", "where": {"Sku": "A"}, "field": "OnHand"}
    equal = {"erp": {"stock": {"item": "1", "qoh": {"same_as": same}}}}
    held = documents() | {"wms": {"stock": [{"Sku": "A", "OnHand": 7}, {"Sku": "B", "OnHand": 8}]}}
    held["erp"]["stock"] = [{"item": "1", "qoh": "7.000"}]
    for wanted in (pair, equal):
        truth = [fault(expected_after_state=wanted)]
        assert judge(perfect(truth=truth, documents=held)).remarks == []
    held["erp"]["stock"] = [{"item": "1", "qoh": "8.000"}]
    truth = [fault(expected_after_state=equal)]
    assert counts(perfect(truth=truth, documents=held)).corrected == 0


def test_an_attempt_that_leaves_a_part_of_it_behind_is_no_correction_and_no_wrong_write():
    evidence = perfect(
        truth=[fault(**UNWILLING, expected_after_state=AFTER)],
        sent=[ended("refused")],
        documents=documents(),
    )
    judgement = judge(evidence)
    assert judgement.remarks == []
    found = judgement.kinds["F1"]
    assert (found.correctable, found.corrected, found.wrong) == (0, 0, 0)


def test_a_payload_that_says_more_than_was_expected_is_wrong():
    assert counts(perfect(sent=[sent(price="1.00")])).wrong == 1
    line = PAYLOAD["lines"][0]
    assert counts(perfect(sent=[sent(lines=[line | {"price": "1.00"}])])).wrong == 1
    assert counts(perfect(sent=[sent(reason="CC")])).wrong == 0


def test_a_target_that_never_behaved_as_it_should_have_is_missed():
    unwilling = {"name": "refuse E500001 1", "mode": "refuse", "system": "erp"}
    evidence = perfect(truth=[fault(expected_behaviours=[unwilling])])
    judgement = judge(evidence)
    assert judgement.remarks == ["never happened F1 FLT-0001: refuse E500001 1"]
    assert judgement.kinds["F1"].missed == 1
    done = replace(evidence, happened=frozenset({"refuse E500001 1"}))
    assert judge(done).remarks == []


@pytest.mark.parametrize(
    ("mode", "needed"), [("unavailable", "breaker opened"), ("sender_dies", "sender died")]
)
def test_what_a_target_does_to_us_must_have_happened_to_us(mode, needed):
    told = [{"name": "once", "mode": mode, "system": "erp"}]
    evidence = perfect(truth=[fault(expected_behaviours=told)], happened=frozenset({"once"}))
    assert judge(evidence).remarks == [f"never happened F1 FLT-0001: {needed}"]
    assert judge(replace(evidence, happened=frozenset({"once", needed}))).remarks == []


@pytest.mark.parametrize(("grace", "late"), [(None, 1), (0, 1), (60, 0)])
def test_what_has_no_date_of_its_own_falls_due_after_it_could_be_read(grace, late):
    """Injected before the pass of 90 s, which reads it first; that of 200 s begins 100 s later."""
    row = fault(injected_at="2026-11-02T12:00:20.000Z", due_after_reading=grace)
    seen = sighting(seconds=400 if grace == 0 else 200)
    assert counts(perfect(truth=[row], passes=PASSES, sightings=[seen])).late == late


def test_that_a_correction_did_not_take_is_due_in_the_third_pass_after_it_was_accepted():
    expected = [{"rule": rule, "object": "SO-100001/1"} for rule in ("F01", "C01")]
    truth = [fault(expected=expected)]
    taken = replace(sent(), accepted_at=after(15))
    for seconds, late in ((200, 0), (400, 0), (500, 1)):
        seen = [sighting(), sighting("C01", seconds=seconds)]
        passes = (*PASSES, (after(490), after(500)))
        evidence = perfect(truth=truth, sightings=seen, passes=passes, sent=[taken])
        assert counts(evidence).late == late


@pytest.mark.parametrize(("seconds", "late"), [(200, 0), (400, 1)])
def test_a_balance_is_due_in_the_third_pass_that_could_read_it(seconds, late):
    row = fault(
        expected=[{"rule": "I07", "object": "gtin@EAST"}],
        expected_by="2026-11-02T12:00:00.000Z",
        expected_correction=None,
    )
    seen = sighting("I07", "gtin@EAST", seconds=seconds)
    assert counts(perfect(truth=[row], sightings=[seen], passes=PASSES)).late == late
