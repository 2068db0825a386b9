"""Which recorded calls can be asked again? A stratified sample of a workflow's traffic, as items.

Only calls whose content was kept, may still be kept, and carries no label above the one that was agreed to. Knows no
file. Invariant: of a call that is left out nothing is given but the reason; the same ledger gives the same sample.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Label
from tierwise.evals.data.splits import place
from tierwise.evals.prompt import RECORDED
from tierwise.ledger.contents import Contents
from tierwise.ledger.protocol import Reader
from tierwise.ledger.queries import Filter
from tierwise.ledger.settings import LedgerSettings
from tierwise.wires import chat
from tierwise.wires.known import APART, CALLERS
from tierwise.wires.wire import Recipient

ANSWERED = ("answered", "flagged", "review")
OWN_SESSIONS = "compare:"
"""How the sessions of comparisons begin: what Tierwise asked itself is no traffic."""
LENGTHS = (500, 2_000, 8_000)
"""Tokens at which requests count as longer."""
Stratum = tuple[str, str, str]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One call that could be taken: no content yet."""

    id: str
    wire: str
    label: Label
    session: str | None
    stratum: Stratum


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The items, of how many calls they were taken, and how many were left out for which reason.

    `strata` give for each label, answering model and length how many calls there were and how many were taken.
    """

    items: tuple[dict[str, object], ...]
    calls: int
    left_out: dict[str, int]
    strata: dict[str, tuple[int, int]]


async def sample(history: Reader, which: Filter, settings: LedgerSettings, most: Label, n: int) -> Sample:
    """Take about N calls, of each stratum its share and at least one. `settings` are those of the ledger today."""
    strata: dict[Stratum, list[Kept]] = defaultdict(list)
    left: Counter[str] = Counter()
    calls = 0
    async for decision in history.iterate(which):
        calls += 1
        why = _why_not(decision, settings, most)
        if why:
            left[why] += 1
        else:
            one = _kept(decision)
            strata[one.stratum].append(one)
    items, taken = [], {}
    for stratum, quota in quotas({name: len(rows) for name, rows in strata.items()}, n).items():
        found: list[dict[str, object]] = []
        for one in sorted(strata[stratum], key=lambda row: place(row.id)):
            if len(found) == quota:
                break
            item = _item(one, await history.content(one.id))
            if isinstance(item, str):
                left[item] += 1
            else:
                found.append(item)
        items += found
        taken[", ".join(stratum)] = (len(strata[stratum]), len(found))
    ordered = sorted(items, key=lambda row: str(row["id"]))
    return Sample(items=tuple(ordered), calls=calls, left_out=dict(left.most_common()), strata=taken)


def quotas(sizes: dict[Stratum, int], n: int) -> dict[Stratum, int]:
    """Share N out by size, at least one to each while there is enough; what is left goes to the largest remainders."""
    whole = sum(sizes.values())
    if n >= whole:
        return dict(sizes)
    order: Sequence[Stratum] = sorted(sizes, key=lambda name: (-sizes[name], name))
    found = {name: max(1, n * sizes[name] // whole) for name in order}
    for name in sorted(order, key=lambda one: (n * sizes[one] % whole, one), reverse=True):
        if sum(found.values()) < n and found[name] < sizes[name]:
            found[name] += 1
    while sum(found.values()) > n:
        most = max(found, key=lambda name: (found[name], name))
        found[most] -= 1
    return {name: count for name, count in found.items() if count}


def _why_not(decision: Decision, settings: LedgerSettings, most: Label) -> str:
    """Say why a call cannot be taken, empty where it can."""
    label = decision.label.value
    if decision.session is not None and decision.session.startswith(OWN_SESSIONS):
        return "asked by a comparison"
    if decision.outcome not in ANSWERED:
        return "not answered"
    if decision.caller_wire in APART or decision.caller_wire not in CALLERS:
        return f"asked on the wire {decision.caller_wire}, which holds no conversation"
    if not decision.content or decision.content.request.kept not in ("redacted", "full"):
        return "its content was not kept"
    if decision.content.request.truncated:
        return "too long to be kept whole"
    if label.rank > most.rank:
        return f"labelled {label}, which is above {most}"
    if settings.content_level(label) not in ("redacted", "full"):
        return f"labelled {label}, of which no content is to be kept any more"
    return ""


def _kept(decision: Decision) -> Kept:
    tokens = decision.features.input_tokens_est
    length = next((f"up to {most:,} tokens" for most in LENGTHS if tokens <= most), f"over {LENGTHS[-1]:,} tokens")
    answered = decision.attempts[-1].model if decision.attempts else decision.chosen or "nobody"
    return Kept(
        id=decision.id,
        wire=decision.caller_wire,
        label=decision.label.value,
        session=decision.session,
        stratum=(decision.label.value.value, answered, length),
    )


def _item(one: Kept, contents: Contents | None) -> dict[str, object] | str:
    """Return a call as an item's row, or why there is none."""
    if contents is None or contents.request is None:
        return "its content was erased"
    try:
        fields = conversation(one.wire, contents.request)
    except (TierwiseError, ValueError):
        return "its content is no request any more"
    row: dict[str, object] = {"id": one.id, "fields": fields, "label": one.label}
    return row | ({"cluster": f"session:{one.session}"} if one.session else {})


def conversation(wire: str, body: bytes) -> dict[str, object]:
    """Return a recorded request as a Chat Completions body, without who was asked and how it was sent."""
    if wire != chat.WIRE:
        call = CALLERS[wire].decode_request(body)
        to = Recipient(endpoint="", served_name=call.model, stream=False)
        body = chat.encode_request(CALLERS[wire].read_conversation(call), to).body
    found = json.loads(body)
    if not isinstance(found, dict) or not isinstance(found.get("messages"), list):
        raise ValueError("a request without messages")
    return {name: found[name] for name in RECORDED if found.get(name) is not None}
