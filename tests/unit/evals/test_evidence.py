"""What was measured? Evidence is only added to, survives a kill, and reads back as it was written."""

import json
from pathlib import Path

import pytest

from tierwise.core.bundle import Bundle
from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import Header, Observation, Review, Seal, Subject, Writer, read

SUBJECT = Subject(name="small", model="small", bundle=Bundle(workflow="w", models=(("small", "sha256:aa"),)))
HEADER = Header(
    run="r1", workflow="w", began=1.0, baseline="small", subjects=(SUBJECT,), dataset="sha256:dd", items={"prove": 2},
    criteria=Criteria(), seal=Seal(digest="sha256:cc", ts=0.5), scorer="exact", metric="accuracy",
)  # fmt: skip
RIGHT = Observation(item="1", cluster="a", split="prove", subject="small", outcome="answered", score=1.0)
LATE = Observation(item="2", cluster="b", split="prove", subject="small", outcome="timeout")
SEEN = Review(item="1", cluster="a", split="prove", subject="small", right=True, seconds=4.5, who="ann", ts=2.0)


def test_what_was_written_is_read_in_its_order(tmp_path: Path) -> None:
    writer = Writer.begin(tmp_path / "run" / "evidence.jsonl", HEADER)
    writer.add(RIGHT)
    writer.add(LATE, SEEN)
    writer.close()
    found = read(writer.path)
    assert (found.header, found.observations, found.reviews) == (HEADER, (RIGHT, LATE), (SEEN,))
    assert writer.path.stat().st_mode & 0o077 == 0


def test_a_line_cut_short_by_a_kill_is_dropped_and_written_over(tmp_path: Path) -> None:
    writer = Writer.begin(tmp_path / "evidence.jsonl", HEADER)
    writer.add(RIGHT)
    writer.close()
    whole = read(writer.path).digest
    with writer.path.open("ab") as file:
        file.write(b'{"kind":"observation","item":"2","clu')
    assert read(writer.path).digest == whole
    again, known = Writer.resume(writer.path)
    assert known.observations == (RIGHT,)
    again.add(LATE)
    again.close()
    assert read(writer.path).observations == (RIGHT, LATE)


def test_nothing_is_written_over_and_nothing_else_is_read(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"
    Writer.begin(path, HEADER).close()
    with pytest.raises(ConfigError, match="cannot be made"):
        Writer.begin(path, HEADER)
    path.write_text('{"kind":"review"}\n')
    with pytest.raises(ConfigError, match="line 1"):
        read(path)
    path.write_text("")
    with pytest.raises(ConfigError, match="header"):
        read(path)


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (0, "repeats", 0),
        (0, "repeats", 10**12),
        (0, "items", {"prove": -1}),
        (0, "began", 1e300),
        (1, "cost_usd", "NaN"),
        (1, "cost_usd", "-1"),
        (1, "cost_usd", "1E+999999"),
        (1, "started", -1.0),
        (1, "duration_ms", 1e308),
        (1, "input_tokens", -1),
        (2, "seconds", -1.0),
    ],
)
def test_what_nobody_can_have_measured_is_refused_with_its_line(
    tmp_path: Path, line: int, field: str, value: object
) -> None:
    writer = Writer.begin(tmp_path / "evidence.jsonl", HEADER)
    writer.add(RIGHT, SEEN)
    writer.close()
    rows = [json.loads(row) for row in writer.path.read_text().splitlines()]
    rows[line][field] = value
    writer.path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ConfigError, match=f"line {line + 1}: .*{field}"):
        read(writer.path)
