"""Memory is really read: the figure is of the order that memory has, and there is none where nothing can be measured."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from tierwise.hardware.bandwidth import Best, best, measure_gb_s

MIB = 1 << 20
READ = Best(processor="P", cores=2, gb_s=30.0, as_of=date(2026, 11, 22))


def reading(**changed: object) -> Best:
    return msgspec.structs.replace(READ, **changed)


def test_what_other_work_takes_away_does_not_count(tmp_path: Path):
    file = tmp_path / "bandwidth.json"
    busy = reading(gb_s=11.0, as_of=date(2026, 11, 23))
    assert best(file, busy) == busy
    assert best(file, READ) == READ
    assert best(file, busy) == READ


@pytest.mark.parametrize("other", [{"cores": 4}, {"processor": "Q"}])
def test_another_machine_begins_anew(tmp_path: Path, other: dict[str, object]):
    file = tmp_path / "bandwidth.json"
    best(file, READ)
    now = reading(gb_s=11.0, **other)
    assert best(file, now) == now


@pytest.mark.parametrize("text", ["", "{", '{"processor": 3}'])
def test_a_file_that_cannot_be_read_is_written_anew(tmp_path: Path, text: str):
    file = tmp_path / "bandwidth.json"
    file.write_text(text)
    assert best(file, READ) == READ
    assert best(file, reading(gb_s=1.0)) == READ


def test_where_nothing_can_be_kept_the_reading_counts(tmp_path: Path):
    assert best(tmp_path / "missing" / "bandwidth.json", READ) == READ


def test_a_machine_reads_its_memory():
    found = measure_gb_s(1, None, limit_s=0.05)
    assert found is not None
    assert 0.1 < found < 5000, "slower than a disk or faster than any memory: it did not read"


def test_cores_are_used_together():
    assert measure_gb_s(2, None, limit_s=0.05) is not None


@pytest.mark.parametrize("available", [0, 1, 100 * MIB])
def test_little_memory_is_left_alone(available):
    assert measure_gb_s(2, available) is None
