"""One stage for all cells, and what they returned."""

from collections.abc import Iterator

import pytest

from tests.matrix.stage import Cells, opened


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cells]:
    with opened(tmp_path_factory.mktemp("matrix")) as cells:
        yield cells


@pytest.fixture(scope="session")
def results() -> dict[tuple[str, str, str], str]:
    return {}
