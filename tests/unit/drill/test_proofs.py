"""What counted when a drill was made counts for all of its traffic, and what did not counts for nothing."""

from tests.unit.gateway.test_certified import EXPIRES, NOW, bank, in_force, qualities, ruled
from tierwise.drill.proofs import Proof, as_of, proven


def test_a_certificate_that_counts_counts_for_traffic_of_any_time() -> None:
    known = in_force(bank())
    (proof,) = proven(known, frozenset(), NOW)
    assert (proof.void, proof.max_wrong, proof.confidence, proof.expires) == ((), 0.05, 0.95, EXPIRES)
    assert qualities(ruled(known, ts=EXPIRES + 9))["mid"] is None
    assert qualities(ruled(as_of(known, (proof,)), ts=EXPIRES + 9))["mid"] == 0.85


def test_one_that_has_ended_or_drifted_counts_for_nothing_and_says_why() -> None:
    known = in_force(bank())
    for found in (
        proven(known, frozenset(), EXPIRES),
        proven(known, frozenset({known.certified["bank"].subject}), NOW),
    ):
        assert found[0].void
        record = ruled(as_of(known, found)).decision.certificate
        assert record and not record.valid and record.void == found[0].void


def test_a_workflow_without_one_has_none() -> None:
    known = in_force(bank(certificate=None))
    assert proven(known, frozenset(), NOW) == (Proof(workflow="bank"),)
    assert as_of(known, proven(known, frozenset(), NOW)).certified == {}
