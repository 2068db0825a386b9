"""What did a probe find out about a model at its endpoint, and what may the gateway no longer rely on?

Pure values and their consequence; asking is in `evals.probe`, judging in `evals.damage`, the file in `registry.kept`.
Invariant: a finding only ever takes something away, and only where it was seen, not where it is merely unknown; a
result that was measured for another address, row or version takes nothing away.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from tierwise.core.model import Capability, Endpoint, Model

Check = Literal["context", "schema", "tools", "stop", "max_tokens", "stream_usage", "logprobs", "repeats"]
Verdict = Literal["honoured", "ignored", "refused", "unclear"]
BROKEN: frozenset[Verdict] = frozenset({"ignored", "refused"})
FILTERS: dict[Check, Capability] = {"schema": "schema", "tools": "tools", "logprobs": "logprobs"}
"""What a model loses where the check of that name fails. The other checks are shown, and the context is a number."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check on one wire. `ignored`: accepted and not done, without a word; `refused`: an error said so;
    `unclear`: nothing follows from what was seen. `detail` says what was seen."""

    check: Check
    verdict: Verdict
    detail: str
    wire: str


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one model at one endpoint.

    `row` identifies the address and the rows that it was measured for, `version` is the server's own where it tells
    one, `served_model` the name that its answers carried; `at` is the time in UTC (ISO 8601). `read_tokens` is what
    was really read at most of prompts that were cut; None where none was seen to be cut. `stale` says why the result
    no longer counts.
    """

    model: str
    endpoint: str
    row: str
    at: str
    findings: tuple[Finding, ...]
    served_model: str | None = None
    version: str | None = None
    read_tokens: int | None = None
    stale: str = ""

    @property
    def date(self) -> str:
        """The day of the probe."""
        return self.at[:10]

    @property
    def ts(self) -> float:
        """The time of the probe in Unix seconds."""
        return datetime.fromisoformat(self.at).timestamp()

    @property
    def broken(self) -> tuple[Finding, ...]:
        """What was not done as asked. That answers repeat is nobody's promise."""
        return tuple(one for one in self.findings if one.verdict in BROKEN and one.check != "repeats")


def row_digest(endpoint: Endpoint, model: Model) -> str:
    """Identify what a probe was made of: address, wires and engine, and the model as its row declares it."""
    facts = [
        endpoint.kind, endpoint.url, endpoint.wires, endpoint.context_wire, endpoint.engine,
        model.served_name, model.context_tokens, model.max_output_tokens, sorted(model.capabilities),
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:16]


def unprobed(endpoint: Endpoint, model: Model) -> str | None:
    """Return why there is nothing to ask this model, None where there is."""
    if "embeddings" in model.capabilities:
        return "it makes embeddings only, there is nothing to ask it"
    if endpoint.engine is not None and endpoint.engine.format == "linear":
        return "it says nothing but its labels, there is nothing to ask it"
    return None


def current(probed: Probed, endpoint: Endpoint, model: Model) -> Probed:
    """Return the result, marked stale where the rows are no longer those that it was measured for."""
    if probed.stale or probed.row == row_digest(endpoint, model):
        return probed
    return msgspec.structs.replace(probed, stale="the endpoint's or the model's row has changed")


def outdated(probes: Iterable[Probed], versions: Mapping[str, str | None]) -> list[Probed]:
    """Return, marked stale, the results of endpoints that run another version by now; one not told is none."""
    return [
        msgspec.structs.replace(one, stale=f"{one.endpoint} ran {one.version}, and runs {now} by now")
        for one in probes
        if (now := versions.get(one.endpoint)) is not None and one.version is not None and now != one.version
    ]


def renamed(probes: Iterable[Probed], served: Mapping[str, str]) -> list[Probed]:
    """Return, marked stale, the results of models whose answers carry another name by now (`served`, by model)."""
    return [
        msgspec.structs.replace(one, stale=f"its answers came from {one.served_model}, and come from {now} by now")
        for one in probes
        if (now := served.get(one.model)) is not None and one.served_model not in (None, now) and not one.stale
    ]


def narrowed(model: Model, probed: Probed) -> Model:
    """Return the model without what it was seen not to do; a stale result changes nothing."""
    if probed.stale:
        return model
    lacks: dict[Capability, str] = {}
    for finding in probed.findings:
        capability = FILTERS.get(finding.check)
        if capability in model.capabilities and capability is not None and finding.verdict in BROKEN:
            told = f"{finding.check} {finding.verdict} on {finding.wire}, as the probe of {probed.date} saw"
            lacks.setdefault(capability, told)
    context, note, stated = model.context_tokens, "", model.stated_tokens
    if probed.read_tokens is not None and (context is None or probed.read_tokens < context):
        context, note, stated = probed.read_tokens, f"as the probe of {probed.date} saw", model.context_tokens
    return msgspec.structs.replace(
        model,
        capabilities=model.capabilities - lacks.keys(),
        context_tokens=context,
        lacks=lacks,
        context_note=note,
        stated_tokens=stated,
    )
