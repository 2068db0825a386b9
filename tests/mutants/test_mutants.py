"""Every defect of the table fits the sources and names tests that are there; and a trial says what happened, no more."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.mutants.__main__ import run
from tests.mutants.planting import ROOT, Defect, defects, planted
from tests.mutants.trial import tried

pytestmark = pytest.mark.timeout(600)  # each trial is a run of pytest, and here others run beside it
ROWS = defects()
QUICKEST = (
    "two-keys-first-wins", "refund-twice", "retries-multiply", "breaker-never-opens", "key-echoed-to-its-holder",
)  # fmt: skip
FILE, TESTS = "fallback/breaker.py", ("tests/unit/fallback/test_breaker.py",)
"""A module that is small, and its tests, which are quick."""


def harmless(put: str, find: str = "        self._failures += 1\n") -> Defect:
    return Defect(name="a-trial", area="none", what="", source="", file=FILE, find=find, put=put, tests=TESTS)


def test_every_defect_can_be_planted_and_has_a_name_of_its_own_and_a_source() -> None:
    problems = [f"{row.area}/{row.name}: {problem}" for row in ROWS for problem in row.problems()]
    assert not problems, "\n".join(problems)
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(row.tests and row.source and row.find != row.put for row in ROWS)


def test_every_test_that_has_to_notice_is_there() -> None:
    named = sorted({test for row in ROWS for test in row.tests})
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *named]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-4000:]


def test_a_few_of_them_are_noticed_and_a_change_of_nothing_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [row for row in ROWS if row.name in QUICKEST]
    told = run([*chosen, harmless("        self._failures = self._failures + 1\n")])
    assert (told["planted"], told["caught"], told["survived"], told["unproven"]) == (6, 5, 1, 0), json.dumps(told)
    assert told["defects"]["a-trial"]["state"] == "survived"
    assert told["defects"]["breaker-never-opens"]["by"].startswith(TESTS[0])
    assert "a-trial: SURVIVED" in capsys.readouterr().out


def test_what_hangs_and_what_cannot_be_tried_are_told_as_such(tmp_path: Path) -> None:
    hangs = harmless("        while True:\n            pass\n")
    trial, _ = tried(TESTS, planted(hangs, tmp_path / "hangs"), limit_s=1)
    assert (trial.state, trial.by.partition("::")[0]) == ("timeout", TESTS[0])
    breaks = harmless("import tierwise.nothing\nimport msgspec\n", "import msgspec\n")
    trial, _ = tried(TESTS, planted(breaks, tmp_path / "breaks"))
    assert trial.state == "untried", "a test that cannot be collected has noticed nothing"
    assert "tierwise.nothing" in trial.said


def test_what_does_not_fit_is_said() -> None:
    row = ROWS[0]
    assert "stands 0 times" in msgspec.structs.replace(row, find="no such text").problems()[0]
    assert "no Python" in msgspec.structs.replace(row, put="(").problems()[0]


@pytest.mark.parametrize(("arguments", "code", "said"), [([], 0, "key-by-prefix"), (["no-such-one"], 2, "")])
def test_without_names_all_are_listed_and_an_unknown_one_is_refused(arguments: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "tests.mutants", *arguments]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == code
    assert said in told.stdout
