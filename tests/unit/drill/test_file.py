"""A drill as a file: the same lines give the same findings, and what was cut, changed or made up is noticed."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drill.traffics import call, kind, traffic, tried
from tests.unit.gateway.test_decide import rules
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.drill.file import FORMAT, Drill, Head, again, made, read, text
from tierwise.drill.scenario import Scenario
from tierwise.drill.snapshot import Snapshot
from tierwise.drill.traffic import Source
from tierwise.policy.released import Written

TRAFFIC = traffic([call(n, n, tried("far", 1 + n % 3), kind=n % 2) for n in range(12)], kind(), kind("far"))


def drilled(**changed: Any) -> Drill:
    head = Head(
        format=FORMAT,
        tierwise="1",
        made_us=5,
        scenario=Scenario(**changed),
        source=Source(since_ts=0.0, after=0, last=12, records=12, sha256="x"),
        skipped=0,
        kinds=len(TRAFFIC.kinds),
        calls=len(TRAFFIC.calls),
        rules=Snapshot.of(rules(), Written()),
    )
    return made(head, TRAFFIC)[0]


DATA = text(drilled(without=("out",)))


def test_what_is_read_back_is_what_was_written_and_gives_the_same() -> None:
    found = read(DATA, "x")
    assert text(found) == DATA and found.traffic == TRAFFIC
    problem, findings = again(found)
    assert problem is None and findings.lost == 6


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_byte_that_was_changed_is_noticed(place: int, by: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= by
    try:
        problem, _ = again(read(bytes(changed), "x"))
    except (ConfigError, InvalidCall):
        return
    assert problem is not None


@given(st.integers(0, len(DATA) - 1))
def test_a_file_that_was_cut_is_none(length: int) -> None:
    with pytest.raises(ConfigError, match="x "):
        read(DATA[:length], "x")


def test_a_line_more_or_less_is_noticed() -> None:
    lines = DATA.splitlines(keepends=True)
    for other in ([*lines[:3], *lines[4:]], [*lines[:4], *lines[3:]], lines[:1], [*lines, lines[-1]]):
        with pytest.raises(ConfigError, match="x "):
            read(b"".join(other), "x")


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"\xff\n\n", b"[" * 100_000 + b"\n\n"])
def test_what_is_no_drill_is_refused_with_its_name(data: bytes) -> None:
    with pytest.raises(ConfigError, match="no drill"):
        read(data, "no drill here")


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (rb'"growth":[^,}]+', b'"growth":1E+999999'),
        (rb'"growth":[^,}]+', b'"growth":"NaN"'),
        (rb'"made_us":5', b'"made_us":' + b"9" * 400),
        (rb'"call-000000",\d+', b'"call-000000",' + b"9" * 400),
    ],
)
def test_a_number_that_cannot_be_reckoned_with_is_refused(said: bytes, instead: bytes) -> None:
    with pytest.raises(ConfigError, match="reckoned"):
        again(read(re.sub(said, instead, DATA, count=1), "x"))
