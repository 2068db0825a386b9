"""Does every row of the table hold, at every door? One test for each row, case and door."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import stage
from tests.faults.ask import stored
from tests.faults.cases import CASES, PROOFS
from tests.faults.doors import Door
from tests.faults.page import OTHER, PAGE, page
from tests.faults.scene import Case, Elsewhere
from tests.faults.table import ROWS
from tests.faults.target import Target

ROOT = Path(__file__).resolve().parents[2]
ASKED = [(case, door) for case in CASES for door in case.doors]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with stage.opened(tmp_path_factory.mktemp("faults")) as target:
        yield target


@pytest.mark.parametrize(("case", "door"), ASKED, ids=[f"{case.row}-{case.name}-{door}" for case, door in ASKED])
def test_fault(case: Case, door: Door, target: Target) -> None:
    assert case.unasked(target, door) is None
    problems, common = asyncio.run(case.problems(target, door))
    assert not problems + common, "\n".join(problems + common)


def test_the_table_is_whole() -> None:
    assert [row.number for row in ROWS] == list(range(1, 80))
    shown = {case.row for case in CASES} | {proof.row for proof in PROOFS}
    lacking = [row.number for row in ROWS if row.number not in shown and not row.differs]
    assert not lacking, f"rows that nothing shows: {lacking}"


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: f"{proof.row}-{proof.test.partition('::')[2]}")
def test_what_is_shown_elsewhere_is_there(proof: Elsewhere) -> None:
    file, _, name = proof.test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), proof.test


def test_the_page_tells_the_table_and_what_another_gateway_answered() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(stored(OTHER)), "python -m tests.faults.page writes it anew"
