import os
import subprocess
import sys
from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals.answers import Answered, Answers, read
from tierwise.evals.evidence import Observation


def answered(item: str, text: str | None = "yes") -> Answered:
    seen = Observation(item=item, cluster=item, split="prove", subject="s", outcome="answered")
    return Answered(item=item, subject="s", text=text, observed=seen)


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    kept = Answers(tmp_path / "a.jsonl")
    kept.add(answered("1", "two\nlines \u2028 and ü"))
    kept.add(answered("2", None))
    kept.close()
    assert list(read(tmp_path / "a.jsonl")) == [answered("1", "two\nlines \u2028 and ü"), answered("2", None)]
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o777 == 0o600
    assert list(read(tmp_path / "none.jsonl")) == []


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_a_kill_cut_short_is_dropped_and_written_over(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jsonl"
    kept = Answers(path)
    kept.add(answered("1"))
    kept.add(answered("2"))
    kept.close()
    os.truncate(path, path.stat().st_size - cut)
    assert list(read(path)) == [answered("1")]
    again = Answers(path)
    again.add(answered("3"))
    again.close()
    assert list(read(path)) == [answered("1"), answered("3")]


def test_a_line_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"item": "\xff"}\n')
    with pytest.raises(ConfigError, match="line 1: not an answer"):
        list(read(tmp_path / "a.jsonl"))


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    program = (
        "import resource, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\n"
        "from tests.unit.evals.test_answers import answered\n"
        "from tierwise.evals.answers import Answers\n"
        "kept = Answers(Path(sys.argv[1])); kept.add(answered('1'))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
        "kept.add(answered('2', 'x' * 1000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=Path.cwd(), check=False
    )
    assert "cannot be written" in done.stderr
    Answers(path).close()
    assert list(read(path)) == [answered("1")]
