"""A step of the wall clock moves nothing until it has lasted."""

import pytest

from tierwise.gateway.clock import BELIEVED_S, Clock

HOUR, YEAR = 3600.0, 365 * 86_400.0


class Machine:
    """A machine whose wall clock somebody sets."""

    def __init__(self) -> None:
        self.ran, self.offset = 50.0, 1_800_000_000.0
        self.clock = Clock(lambda: self.ran + self.offset, lambda: self.ran)

    def after(self, seconds: float) -> float:
        self.ran += seconds
        return self.clock() - 1_800_000_000.0


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR])
def test_a_step_that_is_corrected_was_never_seen(step: float) -> None:
    machine = Machine()
    assert machine.after(10) == 60
    machine.offset += step
    assert [machine.after(1), machine.after(BELIEVED_S - 2)] == [61, 60 + BELIEVED_S - 1]
    machine.offset -= step
    assert machine.after(10) == 60 + BELIEVED_S + 9
    machine.offset += step
    assert machine.after(BELIEVED_S - 1) == 60 + 2 * BELIEVED_S + 8, "the time of the first step does not count"


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR])
def test_a_step_that_lasts_is_believed(step: float) -> None:
    machine = Machine()
    machine.offset += step
    machine.after(1)
    assert machine.after(BELIEVED_S) == 51 + BELIEVED_S + step


def test_drift_is_followed() -> None:
    machine = Machine()
    for _ in range(10):
        machine.offset += 0.5
        machine.after(1)
    assert machine.after(0) == 65
