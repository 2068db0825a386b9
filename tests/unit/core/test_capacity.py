"""An expected latency is the sum of its parts, and is not known where a part that counts is not."""

import pytest

from tierwise.core.capacity import CapacityRecord


@pytest.mark.parametrize(
    ("record", "latency_ms"),
    [
        (CapacityRecord(answer_ms=800.0), 800.0),
        (CapacityRecord(answer_ms=800.0, wait_ms=400.0), 1200.0),
        (CapacityRecord(answer_ms=800.0, wait_ms=0.0, loaded=False, load_ms=5000.0), 5800.0),
        (CapacityRecord(answer_ms=800.0, wait_ms=0.0, loaded=False), None),
        (CapacityRecord(slots=4, requests=0, wait_ms=0.0, loaded=True), None),
        (CapacityRecord(answer_ms=800.0, slots=4, requests=9, loaded=True, load_ms=None, wait_ms=100.0), 900.0),
    ],
)
def test_the_expected_latency_is_wait_and_load_and_answer(record: CapacityRecord, latency_ms: float | None) -> None:
    assert record.latency_ms == latency_ms
