"""Does every client get through to every endpoint, with nothing lost in silence? One test a cell."""

from collections.abc import Callable

import pytest

from tests.matrix.callers import CALLERS, Caller
from tests.matrix.cells import ENDPOINTS, SCENES, Cell
from tierwise.core.decision import Decision
from tierwise.testing import ScriptedUpstream


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("wire", [caller.wire for caller in CALLERS])
def test_cell(
    wire: str,
    endpoint: str,
    scene: Callable[[Cell], str],
    callers: dict[str, Caller],
    matrix_upstream: ScriptedUpstream,
    recorded: Callable[[str], Decision],
) -> None:
    cell = Cell(callers[wire], endpoint, matrix_upstream, recorded)
    print(scene(cell))
