"""The score must count what a sceptic would count."""

from orchestration.scoring import score


def fault(fault_id, rule_objects, *, decoy=False, detectable=True, keys=None):
    return {
        "fault_id": fault_id,
        "fault_type": "H2",
        "decoy": decoy,
        "detectable": detectable,
        "expected": [{"rule": rule, "object": obj} for rule, obj in rule_objects],
        "entity_keys": keys or {"order": fault_id},
    }


def effect(system, kind, obj, change="x"):
    return {"system": system, "kind": kind, "object": obj, "change": change}


def test_a_fault_is_found_only_when_all_its_symptoms_are():
    truth = [fault("A", [("S01", "SO-1/1"), ("F01", "SO-1/1")])]
    assert score(truth, [("S01", "SO-1/1")], []).missed == 1
    assert score(truth, [("S01", "SO-1/1"), ("F01", "SO-1/1")], []).found == 1


def test_an_exception_that_no_fault_explains_is_false_and_a_decoy_reported_says_so():
    truth = [fault("D", [], decoy=True, keys={"lines": ["SO-2/1"]})]
    result = score(truth, [("S01", "SO-2/1")], [])
    assert (result.false, result.decoys, result.decoys_reported) == (1, 1, 1)


def test_an_undetectable_fault_is_injected_but_neither_found_nor_missed():
    result = score([fault("U", [], detectable=False)], [], [])
    assert (result.injected, result.detectable, result.found, result.missed) == (1, 0, 0, 0)


def test_doubled_and_wrong_effects_come_from_the_ledger():
    truth = [fault("A", [("S01", "SO-1/1")], keys={"shipment": "SHP-1"})]
    once = effect("erp", "POST /api/fulfilments", "SHP-1")
    other = effect("erp", "POST /api/fulfilments", "SHP-9")
    result = score(truth, [("S01", "SO-1/1")], [once, once, other])
    assert (result.doubled, result.wrong) == (1, 1)
