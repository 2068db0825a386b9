"""Who stands in for an answer that was never given, and that nobody does where nothing is known."""

from collections import Counter

from tests.unit.drill.traffics import S, call, kind, traffic, tried
from tests.unit.gateway.test_certified import certificate
from tierwise.core.certificate import Accepts
from tierwise.drill.answers import NEAREST, Answers, draw
from tierwise.drill.traffic import Call, Traffic
from tierwise.drill.waiting import recovered

BANK, LOOSE = kind("auto:bank", workflow="bank"), kind()


def answers(what: Traffic, **said_us: int) -> Answers:
    return Answers(what, recovered(what.calls, {}), said_us)


def many(*calls: Call) -> Traffic:
    return traffic(
        [call(900 + n, n, tried("mid", 1 + n, written=10 * n)) for n in range(50)] + list(calls), BANK, LOOSE
    )


def test_a_draw_is_the_same_on_every_machine_and_even() -> None:
    assert draw("call", "word") == draw("call", "word") != draw("call", "other")
    counts = Counter(int(draw(f"call {n}", "x") * 10) for n in range(10_000))
    assert set(counts) == set(range(10)) and all(850 < count < 1150 for count in counts.values())


def test_one_of_the_nearest_in_length_stands_in() -> None:
    what = many(call(0, 99, tried("far", 1, written=300)))
    drawn = {answers(what).drawn(f"call {n}", 50, "mid", None).takes_us for n in range(200)}
    assert drawn == {(1 + n) * S for n in range(30 - NEAREST // 2, 30 + NEAREST // 2)}


def test_gates_pass_as_often_as_in_the_same_workflow_on_record() -> None:
    half = [call(n, n, tried("near", 1, "gate" if n % 2 else "answered")) for n in range(40)]
    found = answers(traffic([*half, call(99, 99)], BANK))
    ended = Counter(found.drawn(f"call {n}", 40, "near", None).ended for n in range(400))
    assert set(ended) == {"answered", "gate"} and 120 < ended["gate"] < 280


def test_elsewhere_the_certificate_says_how_often_and_without_one_it_passes() -> None:
    proven = certificate(accepts=(Accepts(model="mid", threshold=-0.2, n=100, accepted=25),))
    what = many(call(0, 99, kind=1))
    ended = Counter(answers(what).drawn(f"call {n}", 50, "mid", proven).ended for n in range(400))
    assert 60 < ended["answered"] < 140
    assert {answers(what).drawn(f"call {n}", 50, "mid", None).ended for n in range(50)} == {"answered"}
    nothing = certificate(accepts=(Accepts(model="mid", threshold=None, n=100),))
    assert {answers(what).drawn(f"call {n}", 50, "mid", nothing).ended for n in range(50)} == {"gate"}


def test_a_model_without_any_answer_has_no_time_but_one_that_was_said() -> None:
    what = many()
    unknown = answers(what).drawn("call", 0, "near", None)
    assert (unknown.takes_us, unknown.source) == (None, "unknown")
    said = answers(what, near=7).drawn("call", 0, "near", None)
    assert (said.takes_us, said.source) == (7, "said")


def test_the_record_of_an_attempt_is_taken_as_it_is() -> None:
    found = answers(many()).recorded(3, 0)
    assert (found.ended, found.takes_us, found.source) == ("answered", 4 * S, "record")
    assert answers(many()).mean_ms() == {"mid": 25_500.0}
