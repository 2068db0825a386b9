"""Scorers that run programs of the user's, in processes of their own: whatever those do, no answer is lost."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals.item import Item
from tierwise.evals.scorers.apart import Command, Function, command, function
from tierwise.evals.scorers.score import Score

ITEM = Item(id="i", fields={"text": "ask"}, reference={"right": "yes"}, cluster="i", split="prove")
Scoring = Callable[..., Score]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Scoring]:
    """Score with the function `f` of a file."""
    made: list[Function] = []

    def score(code: str, text: str = "yes", time_s: float = 10.0) -> Score:
        (tmp_path / "own.py").write_text(code)
        if not made:
            made.append(Function("python:own.py:f", tmp_path / "own.py", "f", time_s))
        return made[0].score(text, ITEM.reference, ITEM)

    yield score
    for one in made:
        one.close()


def test_a_function_gets_the_answer_the_reference_and_the_item(ask: Scoring) -> None:
    code = "def f(text, reference, item):\n    return text == reference['right'] and item['fields']['text'] == 'ask'"
    assert ask(code).value == 1.0
    assert ask(code, "no").value == 0.0


def test_a_function_may_import_its_neighbours_and_print(ask: Scoring, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 0.5")
    (tmp_path / "json.txt").write_text("")
    code = "import beside\nprint('hello')\ndef f(t, r, i):\n    print('{\"value\": 1}')\n    return beside.VALUE"
    assert ask(code).value == 0.5


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return None", "unparsed"),
        ("return float('nan')", "scorer_failed"),
        ("return 2", "scorer_failed"),
        ("return 'x'", "scorer_failed"),
        ("return {'part': 1}", "scorer_failed"),
        ("raise KeyError('x')", "scorer_failed"),
        ("import os; os._exit(3)", "scorer_failed"),
        ("import sys; sys.exit(0)", "scorer_failed"),
        ("return bytearray(64 * 1024 ** 3)", "scorer_failed"),
        ("return [" + "0," * 10 + "]", "scorer_failed"),
    ],
)
def test_whatever_a_function_does_the_answer_is_only_unscored(ask: Scoring, body: str, problem: str) -> None:
    found = ask(f"def f(t, r, i):\n    {body}")
    assert (found.value, found.problem) == (None, problem)


@pytest.mark.parametrize("code", ["f = 1", "def g(t, r, i): pass", "raise SystemExit", "def f(:"])
def test_a_file_without_the_function_fails_each_answer_and_says_why(ask: Scoring, code: str) -> None:
    found = ask(code)
    assert found.problem == "scorer_failed"
    assert found.why


def test_details_are_kept(ask: Scoring) -> None:
    found = ask("def f(t, r, i):\n    return {'score': 0.5, 'tone': 1.0, 'odd': float('nan')}")
    assert (found.value, found.details) == (0.5, {"tone": 1.0, "odd": None})


def test_a_function_that_hangs_is_ended_and_the_next_answer_is_scored(ask: Scoring) -> None:
    code = "import time\ndef f(t, r, i):\n    time.sleep(t == 'hang' and 600)\n    return 1"
    assert ask(code, "one", time_s=1.0).value == 1.0
    found = ask(code, "hang")
    assert (found.problem, found.why) == ("scorer_failed", "the scorer took longer than 1 s")
    assert ask(code, "two").value == 1.0


def test_a_function_sees_no_key_of_ours(ask: Scoring) -> None:
    os.environ["OWN_API_KEY"] = "secret"
    assert ask("import os\ndef f(t, r, i):\n    return 'OWN_API_KEY' not in os.environ").value == 1.0


def test_an_answer_of_megabytes_gets_through(ask: Scoring) -> None:
    assert ask("def f(t, r, i):\n    return len(t) == 8_000_000", "ä" * 8_000_000).value == 1.0


def checked(words: list[str], text: str = "yes", time_s: float = 10.0) -> Score:
    return Command("command:x", words, time_s).score(text, ITEM.reference, ITEM)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["grep", "-qx", "yes"], 1.0),
        (["grep", "-qx", "no"], 0.0),
        (["grep", "-q", '"right":"yes"', "item.json"], 1.0),
        (["sh", "-c", "exit 3"], None),
        (["sh", "-c", "kill -9 $$"], None),
        (["no-such-program"], None),
    ],
)
def test_a_command_says_right_or_wrong_by_its_exit_code(words: list[str], value: float | None) -> None:
    found = checked(words)
    assert found.value == value
    assert found.problem == (None if value is not None else "scorer_failed")


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    found = checked(["sh", "-c", f"sleep 600 & echo $! > {note}; wait"], time_s=1.0)
    assert found.problem == "scorer_failed"
    child = int(note.read_text())
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_has_limits_and_an_empty_folder() -> None:
    assert checked(["python3", "-c", "bytearray(64 * 1024 ** 3)"]).value == 0.0
    assert checked(["sh", "-c", 'test "$(ls)" = "answer\nitem.json"']).value == 1.0


def test_words_that_name_files_beside_the_configuration_mean_these(tmp_path: Path) -> None:
    (tmp_path / "check.sh").write_text("read answer; test $answer = yes")
    found = command("command:sh check.sh", "sh check.sh", tmp_path)
    assert found.score("yes", None, ITEM).value == 1.0
    assert found.score("no", None, ITEM).value == 0.0


@pytest.mark.parametrize("rest", ["", "own.py", "none.py:f", "own.py:not-a-name"])
def test_what_is_no_function_is_refused_before_anything_is_asked(tmp_path: Path, rest: str) -> None:
    (tmp_path / "own.py").write_text("")
    any_error: Any = pytest.raises(ConfigError, match="python:FILE:FUNCTION")
    with any_error:
        function(f"python:{rest}", rest, tmp_path)
