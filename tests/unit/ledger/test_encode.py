"""A record is read back as it was written, to the last digit of every amount, and says what the contract lists."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given

from tests.unit.ledger.samples import DECISIONS, a_decision, an_intent
from tierwise.core.decision import CandidateRecord, Decision, RuleRecord
from tierwise.core.errors import StoreError
from tierwise.core.label import Tier
from tierwise.ledger.encode import decode_decision, decode_intent, encode_decision, encode_intent

CONTRACT = """
    id seq ts workflow session key_id caller_wire requested_model features label policy_digest price_digest
    registry_digest candidates chosen attempts outcome obligations total_cost_usd baseline_cost_usd review feedback
"""


@given(DECISIONS)
def test_a_decision_comes_back_as_it_went(decision: Decision) -> None:
    record = encode_decision(decision)
    back = decode_decision(record)
    assert back == decision
    assert encode_decision(back) == record
    assert str(back.total_cost_usd) == str(decision.total_cost_usd)


def test_amounts_are_json_numbers_with_every_digit() -> None:
    record = encode_decision(a_decision(1, total_cost_usd=Decimal("0.00012750000000000001")))
    assert b'"total_cost_usd":0.00012750000000000001,' in record
    assert isinstance(json.loads(record)["total_cost_usd"], float)


def test_every_field_of_the_contract_is_there_null_or_not() -> None:
    shown = json.loads(encode_decision(a_decision(1)))
    assert set(shown) >= set(CONTRACT.split())
    assert shown["total_cost_usd"] is None
    assert shown["review"] is None


def test_the_rules_of_a_candidate_are_written_only_where_some_applied() -> None:
    plain = CandidateRecord(model="m", endpoint="e", tier=Tier.LOCAL, allowed=True)
    ruled = msgspec.structs.replace(plain, rules=(RuleRecord(rule="rule:x", effects=("no_store",)),))
    first, second = json.loads(encode_decision(a_decision(1, candidates=(plain, ruled))))["candidates"]
    assert "rules" not in first
    assert second["rules"] == [{"rule": "rule:x", "effects": ["no_store"], "because": []}]


def test_an_intent_comes_back_and_becomes_a_record() -> None:
    intent = an_intent(1, reserved_usd=Decimal("0.25"), workflow="w", tier=Tier.FRONTIER)
    back = decode_intent(encode_intent(intent))
    assert back == intent
    decision = back.decision("interrupted", "why")
    assert (decision.id, decision.workflow, decision.outcome, decision.reason) == (intent.id, "w", "interrupted", "why")
    assert decision.total_cost_usd is None


def test_a_lone_surrogate_is_refused_and_named() -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        encode_decision(a_decision(1, requested_model="\ud800"))


@pytest.mark.parametrize("record", [b"", b"{}", b"[1]", b'{"id": 1}', b"\xff"])
def test_what_is_no_record_is_said_to_be_none(record: bytes) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        decode_decision(record)
    with pytest.raises(StoreError, match="cannot be read"):
        decode_intent(record)
