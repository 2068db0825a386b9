"""How is a drill written down, so that somebody else can make it again? One JSON line for each thing that went in.

A head (what was asked, the rules, the records), the kinds of calls, the calls, and last the findings with the digest of
all lines before them. `again` makes the findings anew from the other lines.
Invariant: the same lines give the same last line, byte for byte; a line that was changed is noticed.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.drill.findings import Findings, found
from tierwise.drill.play import play
from tierwise.drill.proofs import as_of, proven
from tierwise.drill.scenario import Scenario, put_on
from tierwise.drill.snapshot import Snapshot
from tierwise.drill.traffic import US_PER_S, Call, Kind, Source, Traffic

FORMAT: Literal["tierwise drill 1"] = "tierwise drill 1"


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line. `made_us` is Unix time: what counted then counts for the whole drill."""

    format: Literal["tierwise drill 1"]
    tierwise: str
    made_us: int
    scenario: Scenario
    source: Source
    skipped: int
    kinds: int
    calls: int
    rules: Snapshot


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """The last line. `of` is the digest of all lines before it."""

    of: str
    findings: Findings


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A drill as it was written: `lines` are all but the last, `last` is as it stands there."""

    head: Head
    traffic: Traffic
    lines: tuple[bytes, ...]
    last: bytes


_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="number")
_head, _kind, _call = msgspec.json.Decoder(Head), msgspec.json.Decoder(Kind), msgspec.json.Decoder(Call)


def made(head: Head, traffic: Traffic) -> tuple[Drill, Findings]:
    """Make a drill, and return what it found too. InvalidCall for a scenario that leads nowhere."""
    lines = tuple(map(_encoder.encode, (head, *traffic.kinds, *traffic.calls)))
    head = _head.decode(lines[0])  # as whoever reads the file will have it
    last, findings = _last(head, traffic, lines)
    return Drill(head=head, traffic=traffic, lines=lines, last=last), findings


def again(drill: Drill) -> tuple[str | None, Findings]:
    """Make the findings anew; return what differs from those that stand there, None for not a byte, and them.

    ConfigError for numbers that no call, price or time can be: anybody may have written them.
    """
    try:
        last, findings = _last(drill.head, drill.traffic, drill.lines)
    except ArithmeticError as error:
        raise ConfigError(f"the drill holds a number that cannot be reckoned with: {error}") from error
    return _differs(drill, last), findings


def _differs(drill: Drill, last: bytes) -> str | None:
    if last == drill.last:
        return None
    said, of = drill.last[: len(OF)], last[: len(OF)]
    if said != of:
        return "the lines before the findings are not those that the findings were made of"
    place = next((at for at, (one, other) in enumerate(zip(drill.last, last, strict=False)) if one != other), 0)
    around = slice(max(0, place - 60), place + 60)
    before, now = (line[around].decode(errors="replace") for line in (drill.last, last))
    return f"the findings differ at byte {place + 1}: {before} is now {now}"


OF = '{"of":"' + "0" * 64


def text(drill: Drill) -> bytes:
    """Return the file."""
    return b"\n".join((*drill.lines, drill.last, b""))


def read(data: bytes, name: str) -> Drill:
    """Read a file; ConfigError where it is none."""
    lines = data.split(b"\n")
    if lines[-1]:
        raise ConfigError(f"{name} is no drill, or was cut: it does not end with a line", file=name)
    try:
        head = _head.decode(lines[0])
        kinds = tuple(map(_kind.decode, lines[1 : 1 + head.kinds]))
        calls = tuple(map(_call.decode, lines[1 + head.kinds : -2]))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"{name} is no drill that this version of Tierwise knows: {error}", file=name) from error
    _check(head, kinds, calls, name)
    traffic = Traffic(kinds=kinds, calls=calls, skipped=head.skipped)
    return Drill(head=head, traffic=traffic, lines=tuple(lines[:-2]), last=lines[-2])


def _check(head: Head, kinds: Sequence[Kind], calls: Sequence[Call], name: str) -> None:
    sound = len(kinds) == head.kinds and len(calls) == head.calls
    if not sound or any(not 0 <= call.kind < len(kinds) for call in calls):
        raise ConfigError(f"{name} does not hold the calls that its first line says", file=name)
    times = ((one.starts_us, one.took_us or 0, one.first_us or 0) for call in calls for one in call.tries)
    if any(call.at_us < 0 for call in calls) or any(min(found) < 0 for found in times):
        raise ConfigError(f"{name} holds a time before its call came", file=name)


def _last(head: Head, traffic: Traffic, lines: Sequence[bytes]) -> tuple[bytes, Findings]:
    rules = head.rules.rules()
    proofs = proven(rules, frozenset(head.rules.drifted), head.made_us / US_PER_S)
    rules = as_of(rules, proofs)
    today, drill = (
        play(traffic, put_on(one, rules, head.rules.limits)) for one in (head.scenario.as_is, head.scenario)
    )
    findings = found(traffic, rules, today, drill, proofs)
    of = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    return _encoder.encode(Last(of=of, findings=findings)), findings
