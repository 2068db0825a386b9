"""How would a model answer a call that it never had? Like a recorded answer of its own of about the same length.

Which of the nearest recorded answers stands in is drawn from the call's name, so that every run draws the same.
Invariant: nothing is made up: a model without any answer on record has no time, unless somebody said one.
"""

from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import Literal

import msgspec

from tierwise.core.certificate import Certificate
from tierwise.core.usage import Usage
from tierwise.drill.traffic import Ended, Traffic, usage_of
from tierwise.drill.waiting import Seen

NEAREST = 8
"""So many recorded answers of about the same length are drawn from, and all that are as long as the outermost."""
From = Literal["record", "alike", "said", "unknown"]
"""Where the time of an answer is from: the call's own record, a recorded answer of about its length, a `--takes`."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of an attempt; times are without waiting for a turn, None where nothing is known."""

    ended: Ended
    takes_us: int | None
    first_us: int
    usage: Usage | None
    source: From
    estimated: bool = False


class Sample(msgspec.Struct, frozen=True, order=True):
    """A recorded answer, by its length."""

    written: int
    takes_us: int
    first_us: int
    ended: Ended


class Answers:
    """All answers on record, by workflow and model."""

    def __init__(self, traffic: Traffic, seen: dict[tuple[int, int], Seen], said_us: dict[str, int]) -> None:
        self._traffic, self._seen, self._said = traffic, seen, said_us
        self._samples: dict[tuple[str | None, str], list[Sample]] = {}
        self._anywhere: dict[str, list[Sample]] = {}
        for at, call in enumerate(traffic.calls):
            flow = traffic.kinds[call.kind].workflow
            for place, one in enumerate(call.tries):
                found = seen[at, place]
                if one.ended in ("answered", "gate") and found.takes_us is not None:
                    written = one.usage.written if one.usage else 0
                    first = found.takes_us if found.first_us is None else found.first_us
                    sample = Sample(written, found.takes_us, first, one.ended)
                    self._samples.setdefault((flow, one.model), []).append(sample)
                    self._anywhere.setdefault(one.model, []).append(sample)
        for samples in (*self._samples.values(), *self._anywhere.values()):
            samples.sort()

    def mean_ms(self) -> dict[str, float]:
        """Return how long each model's answers took on record, which orders by latency."""
        return {
            model: sum(one.takes_us for one in samples) / len(samples) / 1000
            for model, samples in self._anywhere.items()
        }

    def recorded(self, at: int, place: int) -> Answer:
        """Return what came of this attempt on record."""
        one, found = self._traffic.calls[at].tries[place], self._seen[at, place]
        takes = found.takes_us
        first = found.first_us if found.first_us is not None else takes or 0
        # An attempt that never said how long it took is one that did not last: its endpoint rested.
        takes = 0 if takes is None and one.ended == "failed" else takes
        return Answer(ended=one.ended, takes_us=takes, first_us=first, usage=one.usage, source="record")

    def drawn(self, ident: str, at: int, model: str, proven: Certificate | None) -> Answer:
        """Return an answer of a model that this call never had."""
        call = self._traffic.calls[at]
        kind = self._traffic.kinds[call.kind]
        usage, estimated = usage_of(call, model, kind.features)
        own = self._samples.get((kind.workflow, model), [])
        samples = own or self._anywhere.get(model, [])
        stands = _nearest(samples, usage.written, draw(ident, model)) if samples else None
        ended: Ended = stands.ended if own and stands else _proven(model, proven, draw(ident, model + " passes"))
        takes, first, source = _time(stands, self._said.get(model))
        return Answer(ended=ended, takes_us=takes, first_us=first, usage=usage, source=source, estimated=estimated)


def draw(ident: str, word: str) -> float:
    """Return the number in [0, 1) that belongs to a call and a word."""
    return int.from_bytes(blake2b(f"{ident} {word}".encode(), digest_size=6).digest()) / 2**48


def _nearest(samples: list[Sample], written: int, drawn: float) -> Sample:
    middle = bisect_left(samples, written, key=_length)
    low = max(0, min(middle - NEAREST // 2, len(samples) - NEAREST))
    high = min(len(samples), low + NEAREST)
    # All of one length or none: they lie by how long they took, and some of them are not like all.
    low = bisect_left(samples, samples[low].written, key=_length)
    high = bisect_right(samples, samples[high - 1].written, key=_length)
    return samples[low + int(drawn * (high - low))]


def _length(sample: Sample) -> int:
    return sample.written


def _proven(model: str, proven: Certificate | None, drawn: float) -> Ended:
    """Say whether an answer passes its gate, by what a certificate saw; without one it passes."""
    step = next((one for one in proven.accepts if one.model == model), None) if proven else None
    if step is None or not step.n:
        return "answered"
    return "answered" if step.threshold is not None and drawn * step.n < step.accepted else "gate"


def _time(stands: Sample | None, said_us: int | None) -> tuple[int | None, int, From]:
    if said_us is not None:
        return said_us, said_us, "said"
    return (None, 0, "unknown") if stands is None else (stands.takes_us, stands.first_us, "alike")
