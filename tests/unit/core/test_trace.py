"""What a caller says of its trace is taken as the standard has it, or not at all; ids of our own follow from the record."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.trace import Trace, handed_on, read, span_id, trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


def test_a_header_as_the_standard_has_it() -> None:
    assert read(GOOD, None) == Trace(id=TRACE, parent=PARENT)
    assert read(GOOD[:-1] + "0", None) == Trace(id=TRACE, parent=PARENT, sampled=False)
    assert read(f"cc-{TRACE}-{PARENT}-03-what will be", "") == Trace(id=TRACE, parent=PARENT)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        GOOD.upper(),
        GOOD + "-x",  # version 00 has four parts
        GOOD + " ",
        f"{GOOD}, {GOOD}",  # sent twice
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 300}",
        f"00-{TRACE}-{PARENT}-٠١",
    ],
)
def test_a_header_that_does_not_fit_is_no_header(wrong: str) -> None:
    assert read(wrong, None) is None


@pytest.mark.parametrize(
    ("baggage", "counted"),
    [
        ("tierwise.counted=true", True),
        ("a=b , tierwise.counted = true;x=y", True),
        ("tierwise.counted=false", False),
        ("not.tierwise.counted=true", False),
        ("tierwise.counted", False),
        ("a=b," * 3000 + "tierwise.counted=true", False),
    ],
)
def test_who_reports_a_call_itself_says_so_in_baggage(baggage: str, counted: bool) -> None:
    assert read(None, baggage) == (Trace(counted=True) if counted else None)
    assert read(GOOD, baggage) == Trace(id=TRACE, parent=PARENT, counted=counted)


def test_ids_follow_from_the_record_and_differ_between_spans() -> None:
    ids = {span_id("01A"), *(span_id("01A", n) for n in range(20)), span_id("01B")}
    assert len(ids) == 22
    assert trace_id("01A") == trace_id("01A") != trace_id("01B")
    assert {len(one) for one in ids} == {16}
    assert set("".join(ids) + trace_id("01A")) <= set(string.hexdigits.lower())


def test_what_is_handed_on_can_be_read_again() -> None:
    caller = Trace(id=TRACE, parent=PARENT, sampled=False)
    for said, trace, sampled in ((None, trace_id("01A"), True), (caller, TRACE, False)):
        (_, parent), (_, baggage) = handed_on("01A", 2, said)
        assert read(parent, baggage) == Trace(id=trace, parent=span_id("01A", 2), sampled=sampled, counted=True)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_read_without_a_word(parent: str, baggage: str) -> None:
    found = read(parent, baggage)
    assert found is None or found.counted or len(found.id or "") == 32
