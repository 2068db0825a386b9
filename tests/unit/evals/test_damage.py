"""Which verdict follows from what was seen? Said by hand for each check, and for the context by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import ToolCall
from tierwise.core.usage import Usage
from tierwise.evals import damage
from tierwise.evals.damage import Reading, Seen

WANTED = {"colour": "x-17"}
COUNT = "1 2 3 4 5 6 7 8 9 10 11 12"


def said(text: str = "", finish: str = "stop", out: int | None = None, **more: object) -> Seen:
    usage = None if out is None else Usage(input=9, output=out)
    return Seen(text=text, finish=finish, usage=usage, **more)  # type: ignore[arg-type]


def read(words: int, tokens: int | None, cached: int = 0) -> Reading:
    usage = None if tokens is None else Usage(input=tokens - cached, cache_read=cached)
    return Reading(words=words, seen=Seen(usage=usage))


@pytest.mark.parametrize("trouble", ["refused", "failed", "too_long", "down"])
def test_an_error_is_no_silence(trouble: str) -> None:
    seen = Seen(trouble=trouble, told="400: no")  # type: ignore[arg-type]
    verdicts = {
        damage.schema(seen, WANTED)[0],
        damage.tools(seen, "t", forced=True)[0],
        damage.stop(said(COUNT), "7", seen)[0],
        damage.max_tokens(said(COUNT, out=12), 3, seen)[0],
        damage.logprobs(seen)[0],
        damage.stream_usage(seen)[0],
        damage.repeats(said(COUNT), seen, fixed=True)[0],
    }
    assert verdicts == ({"refused"} if trouble == "refused" else {"unclear"})


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (said('{"colour":"x-17"}'), "honoured"),
        (said(' {"colour": "x-17"}\n'), "honoured"),
        (said('{"colour":"blue"}'), "ignored"),
        (said('{"colour":"x-17","more":1}'), "ignored"),
        (said('```json\n{"colour":"x-17"}\n```'), "ignored"),
        (said("Blue."), "ignored"),
        (said("Blue, because", finish="length"), "ignored"),
        (said('{"colour":"x', finish="length"), "unclear"),
        (said("", finish="length"), "unclear"),
        (said(""), "unclear"),
    ],
)
def test_schema(seen: Seen, verdict: str) -> None:
    assert damage.schema(seen, WANTED)[0] == verdict


@pytest.mark.parametrize(
    ("seen", "forced", "verdict"),
    [
        (said(calls=(ToolCall(name="t"),), finish="tool_calls"), True, "honoured"),
        (said(calls=(ToolCall(name="t"),)), False, "honoured"),
        (said(calls=(ToolCall(name="u"),)), True, "ignored"),
        (said("Hello!"), True, "ignored"),
        (said(""), True, "ignored"),
        (said("Let me think", finish="length"), True, "unclear"),
        (said("I would rather not."), False, "unclear"),
    ],
)
def test_tools(seen: Seen, forced: bool, verdict: str) -> None:
    assert damage.tools(seen, "t", forced=forced)[0] == verdict


@pytest.mark.parametrize(
    ("stopped", "verdict"),
    [
        ("1 2 3 4 5 6 ", "honoured"),
        ("1 2 3 4 5 6", "honoured"),
        ("1 2 3 4 5 6 7", "honoured"),  # some leave the sequence at the end
        (COUNT, "ignored"),
        ("Sure: 1 2 3 4 5 6 7 8", "ignored"),  # whatever else differs
        ("one two three", "unclear"),
    ],
)
def test_stop(stopped: str, verdict: str) -> None:
    assert damage.mark_in(COUNT) == "7"
    assert damage.stop(said(COUNT), "7", said(stopped))[0] == verdict


def test_a_wire_without_stop_sequences_is_not_blamed() -> None:
    assert damage.stop(said(COUNT), "7", said(COUNT, untold=("stop",)))[0] == "unclear"
    assert damage.stop(said("ok"), damage.mark_in("ok"), said())[0] == "unclear"


@given(st.text(max_size=80))
def test_a_stop_sequence_stands_in_the_answer_but_not_at_its_beginning(text: str) -> None:
    mark = damage.mark_in(text)
    assert mark is None or (mark.strip() and text.find(mark) > 0)


@pytest.mark.parametrize(
    ("cut", "verdict"),
    [
        (said("1 2 3", finish="length", out=3), "honoured"),
        (said("", finish="length", out=4), "honoured"),  # all of it was thinking
        (said("1 2 3", finish="length"), "honoured"),
        (said(COUNT, out=12), "ignored"),
        (said(COUNT), "ignored"),
        (said("1 2 3 4 5 6 7 8 9", finish="length", out=9), "ignored"),
        (said("No.", out=2), "unclear"),
    ],
)
def test_max_tokens(cut: Seen, verdict: str) -> None:
    assert damage.max_tokens(said(COUNT, out=12), 3, cut)[0] == verdict
    assert damage.max_tokens(said("1 2", out=2), 1, cut)[0] == "unclear"


def test_what_comes_along_or_does_not() -> None:
    assert damage.logprobs(said("hi", tokens=2))[0] == "honoured"
    assert damage.logprobs(said("hi"))[0] == "ignored"
    assert damage.logprobs(said(""))[0] == "unclear"
    assert damage.stream_usage(said("hi", out=1))[0] == "honoured"
    assert damage.stream_usage(said("hi"))[0] == "ignored"
    assert damage.repeats(said("a"), said("a"), fixed=True)[0] == "honoured"
    assert damage.repeats(said("a"), said("b"), fixed=True)[0] == "ignored"
    assert damage.repeats(said("a"), said("a"), fixed=False)[0] == "unclear"


@given(st.floats(0.6, 8), st.integers(0, 300), st.lists(st.floats(0.96, 1.04), min_size=2, max_size=2))
def test_a_count_that_grows_with_the_prompt_is_honoured(slope: float, template: int, noise: list[float]) -> None:
    def honest(words: int, chance: float = 1.0) -> Reading:
        return read(words, max(1, round(template + slope * words * chance)))

    readings = [honest(20), honest(220), honest(2_000, noise[0]), honest(6_000, noise[1])]
    judged, tokens = damage.context(readings, 9_000)
    assert (judged[0], tokens) == ("honoured", None)


@given(st.floats(0.8, 8), st.integers(0, 100), st.integers(100, 4_000))
def test_a_count_that_stands_still_is_a_cut_at_what_was_read(slope: float, template: int, least: int) -> None:
    limit = max(least, round(template + slope * 220))

    def cutting(words: int) -> Reading:
        return read(words, min(limit, round(template + slope * words)))

    long = round(2 * limit / slope)
    readings = [cutting(20), cutting(220), cutting(long), cutting(long)]
    judged, tokens = damage.context(readings, 100_000)
    assert (judged[0], tokens) == ("ignored", limit)


def test_even_the_second_prompt_may_be_cut() -> None:
    readings = [read(8, 10), read(200, 30), read(900, 30), read(900, 30)]
    assert damage.context(readings, 4_096)[1] == 30


@pytest.mark.parametrize(
    "readings",
    [
        [read(8, None), read(200, None)],
        [read(8, 0), read(200, 0)],
        [read(8, 10), Reading(words=200, seen=Seen(trouble="failed", told="timeout"))],
        [read(8, 10), read(200, 202), read(900, 100), read(900, 902)],  # once less proves nothing
    ],
)
def test_what_is_not_known_is_no_damage(readings: list[Reading]) -> None:
    judged, tokens = damage.context(readings, 4_096)
    assert (judged[0], tokens) == ("unclear", None)


def test_cached_tokens_were_read_too() -> None:
    readings = [read(8, 10), read(200, 202, cached=100), read(900, 902, cached=900)]
    assert damage.context(readings, 1_000)[0][0] == "honoured"


def test_a_prompt_that_is_refused_was_not_cut_in_silence() -> None:
    readings = [read(8, 10), read(200, 202), Reading(words=900, seen=Seen(trouble="too_long", told="too long"))]
    (verdict, told), tokens = damage.context(readings, 4_096)
    assert (verdict, tokens) == ("honoured", None)
    assert "up to 202" in told
    assert "refused" in told
