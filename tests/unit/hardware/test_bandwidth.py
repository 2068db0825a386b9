"""Memory is really read: the figure is of the order that memory has, and there is none where nothing can be measured."""

import pytest

from tierwise.hardware.bandwidth import measure_gb_s

MIB = 1 << 20


def test_a_machine_reads_its_memory():
    found = measure_gb_s(1, None, limit_s=0.05)
    assert found is not None
    assert 0.1 < found < 5000, "slower than a disk or faster than any memory: it did not read"


def test_cores_are_used_together():
    assert measure_gb_s(2, None, limit_s=0.05) is not None


@pytest.mark.parametrize("available", [0, 1, 100 * MIB])
def test_little_memory_is_left_alone(available):
    assert measure_gb_s(2, available) is None
