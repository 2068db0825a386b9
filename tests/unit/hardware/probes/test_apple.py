"""What a Mac's tools print."""

from tierwise.hardware.probes.apple import available

VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            500000.
Pages inactive:                           20000.
Pages speculative:                         3000.
Pages throttled:                              0.
Pages wired down:                        100000.
Pages purgeable:                            400.
"""


def test_memory_that_can_be_given_at_once():
    assert available(VM_STAT) == 16384 * 33_400
    assert available("") is None
    assert available("page size of 16384 bytes") is None
