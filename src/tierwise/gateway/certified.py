"""Does a workflow's certificate count now, and what follows from it? Thresholds, an order of trial, measured quality.

Pure: what was loaded and what answers now stand in the rules, the time and what has drifted are given.
Invariant: a certificate that does not count gives nothing and says why; it never narrows or widens what policy allows.
"""

import math
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Self

import msgspec

from tierwise.core.bundle import Bundle
from tierwise.core.certificate import Accepts, Certificate
from tierwise.core.decision import CertificateRecord
from tierwise.gateway.workflow import Workflow
from tierwise.quality.gate import threshold
from tierwise.quality.settings import Gates

SIGNAL = "logprob"
"""The one signal that the gates see."""
NOTHING = math.inf
"""The threshold that no answer reaches."""
IN_ORDER = ("cascade", "cheapest_sufficient")
"""The strategies that keep the order of several steps."""


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's certificate as it was found. `bundle` is what answers now; `problems` are known without the time.

    `certificate` None: there is none, or not the one of this digest, which `problems` then say.
    """

    digest: str
    certificate: Certificate | None = None
    bundle: Bundle | None = None
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, workflow: Workflow, digest: str, certificate: Certificate, bundle: Bundle) -> Self:
        """Return the certificate beside the workflow that names it, and what answers in it now."""
        return cls(
            digest=digest, certificate=certificate, bundle=bundle, problems=tuple(_against(workflow, certificate))
        )

    def under(self, policy: str) -> Self:
        """Return the same where the policy of this digest is in force."""
        return self if self.bundle is None else _with(self, bundle=_with(self.bundle, policy=policy))

    @property
    def subject(self) -> str:
        """What an incident of drift is called by."""
        name = self.certificate.workflow if self.certificate else ""
        return f"workflow:{name} under {self.digest[:19]}"

    def void(self, ts: float, drifted: Collection[str] = ()) -> tuple[str, ...]:
        """Return why it does not count at this time, where it does not; `drifted` are subjects."""
        if self.certificate is None or self.bundle is None:
            return self.problems
        found = [*self.problems, *(f"changed: {part}" for part in self.certificate.bundle.changed(self.bundle))]
        if ts >= self.certificate.expires:
            found.append(f"it expired on {day(self.certificate.expires)}")
        if self.subject in drifted:
            found.append("an incident of drift is open: its confidences no longer lie as they did")
        return tuple(found)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate gives to one decision: nothing where it is void."""

    record: CertificateRecord
    certificate: Certificate | None = None

    @property
    def steps(self) -> tuple[Accepts, ...]:
        """The models whose answers it vouches for, in its order."""
        return () if self.certificate is None else accepting(self.certificate)

    def step(self, model: str) -> int | None:
        """Return the model's place in the order, None where nothing of it is accepted."""
        return next((place for place, one in enumerate(self.steps) if one.model == model), None)

    def quality(self, model: str) -> float | None:
        """Return what is proven of a model, relative to the baseline; that of the baseline itself is 1."""
        if self.certificate is None:
            return None
        if model == self.certificate.baseline:
            return 1.0
        measured = (one.relative for one in self.certificate.quality if one.model == model)
        return next(measured, None) if self.step(model) is not None else None

    def applied(self, workflow: Workflow) -> Workflow:
        """Return the workflow with the thresholds in its gates; without any, none is tried first for being cheap."""
        if self.certificate is not None:
            return _with(workflow, gates=_gates(workflow.gates, self.certificate))
        return _with(workflow, strategy="cheapest_sufficient") if workflow.strategy == "cascade" else workflow


def standing(
    workflow: Workflow | None, known: Certified | None, ts: float, drifted: Collection[str]
) -> Standing | None:
    """Return what the workflow's certificate gives; None where it names none."""
    if workflow is None or workflow.certificate is None:
        return None
    if known is None or known.digest != workflow.certificate:  # a release names another one than was read
        known = Certified(digest=workflow.certificate, problems=("it was not read yet",))
    void = known.void(ts, drifted)
    record = CertificateRecord(digest=known.digest, valid=not void, void=void)
    return Standing(record=record, certificate=None if void else known.certificate)


def accepting(certificate: Certificate) -> tuple[Accepts, ...]:
    """Return the steps from which something is accepted."""
    return tuple(one for one in certificate.accepts if one.threshold is not None)


def day(ts: float) -> str:
    """Write a Unix time for people, to the minute."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _against(workflow: Workflow, certificate: Certificate) -> list[str]:
    """Return what in the workflow contradicts the certificate. What is written explicitly wins."""
    if certificate.workflow != workflow.name:
        return [f"it is one of the workflow {certificate.workflow!r}"]
    steps = accepting(certificate)
    unseen = (one for one in steps if one.signal != SIGNAL)
    found = [f"{one.model} is accepted by its {one.signal}, which the gates do not see" for one in unseen]
    for one in certificate.accepts:
        said = threshold(workflow.gates, one.model)
        if said is not None and said != one.threshold:
            proven = "nothing" if one.threshold is None else f"{one.threshold:.6g}"
            found.append(f"gates.min_logprob of {one.model} says {said:.6g}, the certificate {proven}")
    if len(steps) > 1 and workflow.strategy not in IN_ORDER:
        found.append(f"it holds for {len(steps)} models in their order, which the strategy {workflow.strategy} is not")
    return found


def _gates(gates: Gates, certificate: Certificate) -> Gates:
    if isinstance(gates.min_logprob, float):  # for every model, and what is certified is the same
        return gates
    least = {one.model: NOTHING if one.threshold is None else one.threshold for one in certificate.accepts}
    return _with(gates, min_logprob={**(gates.min_logprob or {}), **least})


_with = msgspec.structs.replace
