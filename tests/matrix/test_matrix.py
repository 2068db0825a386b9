"""Does every client get through to every endpoint, with nothing lost in silence? One test a cell."""

from collections.abc import Callable

import pytest

from tests.matrix.callers import CALLERS
from tests.matrix.cells import ENDPOINTS, SCENES, Cell
from tests.matrix.page import PAGE, page
from tests.matrix.stage import Cells


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("wire", [caller.wire for caller in CALLERS])
def test_cell(
    wire: str,
    endpoint: str,
    scene: Callable[[Cell], str],
    cells: Cells,
    results: dict[tuple[str, str, str], str],
) -> None:
    results[wire, endpoint, scene.__name__] = scene(cells[wire, endpoint])


def test_the_page_says_what_the_cells_returned(results: dict[tuple[str, str, str], str]) -> None:
    if len(results) < len(CALLERS) * len(ENDPOINTS) * len(SCENES):
        pytest.skip("not every cell was run, or not every one went well")
    assert PAGE.read_text(encoding="utf-8") == page(results), "scripts/docs writes it anew"
