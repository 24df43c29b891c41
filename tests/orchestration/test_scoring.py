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


def created(ship_ref, number):
    after = {"ful_no": number, "ship_ref": ship_ref, "row_version": 1}
    kind = "POST /api/fulfilments"
    return {"system": "erp", "kind": kind, "object": number, "before": None, "after": after}


def changed(before, after):
    kind = "PATCH /api/sales_orders/{doc_no}/lines/{pos}"
    return {"system": "erp", "kind": kind, "object": "E1/10", "before": before, "after": after}


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


def test_one_shipment_fulfilled_twice_is_doubled_though_the_documents_have_numbers_of_their_own():
    truth = [fault("A", [("S01", "SO-1/1")], keys={"shipment": "SHP-1"})]
    ledger = [created("SHP-1", "F1"), created("SHP-1", "F2"), created("SHP-9", "F3")]
    result = score(truth, [("S01", "SO-1/1")], ledger)
    assert (result.doubled, result.wrong) == (1, 1)


def test_a_change_written_again_is_doubled_and_a_second_change_is_not():
    truth = [fault("A", [("O04", "SO-1/1")], keys={"doc_no": "E1"})]
    first = changed(
        {"doc_no": "E1", "ord_qty": "5", "row_version": 1},
        {"doc_no": "E1", "ord_qty": "6", "row_version": 2},
    )
    again = changed(first["after"], {**first["after"], "row_version": 3})
    other = changed(first["after"], {"doc_no": "E1", "ord_qty": "7", "row_version": 3})
    assert score(truth, [("O04", "SO-1/1")], [first, other]).doubled == 0
    assert score(truth, [("O04", "SO-1/1")], [first, again]).doubled == 1


def test_a_decoy_known_by_its_order_is_reported_by_an_exception_on_a_line_of_it():
    truth = [fault("D", [], decoy=True, keys={"order_number": "SO-2", "line": 1})]
    assert score(truth, [("S01", "SO-2/1")], []).decoys_reported == 1


def test_a_line_number_or_a_place_does_not_make_a_write_right():
    truth = [fault("A", [("S01", "SO-1/1")], keys={"order_number": "SO-1", "line": 1})]
    stray = created("SHP-9", "F3")
    assert stray["after"]["row_version"] == 1
    assert score(truth, [("S01", "SO-1/1")], [stray]).wrong == 1


def posted(key, number, qty):
    after = {"mv_no": number, "ref": "ADJ-1", "qty": qty, "origin": key}
    effect = {"system": "erp", "kind": "POST /api/stock_movements", "object": str(number)}
    return effect | {"idempotency_key": key, "before": None, "after": after}


def test_a_target_that_posts_one_request_twice_did_not_get_it_twice_and_its_undoing_is_no_double():
    truth = [fault("X3", [("I11", "ADJ-1")], keys={"ref": "ADJ-1"})]
    ledger = [posted("k1", 1, "3.000"), posted("k1", 2, "3.000"), posted("k2", 3, "-3.000")]
    assert score(truth, [("I11", "ADJ-1")], ledger).doubled == 0
    assert score(truth, [("I11", "ADJ-1")], [*ledger, posted("k3", 4, "3.000")]).doubled == 1
