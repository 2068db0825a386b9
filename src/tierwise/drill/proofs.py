"""Which certificates count in this drill? Those that counted when it was made, for all of its traffic.

Invariant: a certificate that did not count then counts for nothing, and the drill says why.
"""

import math

import msgspec

from tierwise.gateway.certified import Certified, standing
from tierwise.gateway.rules import Rules


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's certificate at the time of the drill, None for none. `void` says why it does not count."""

    workflow: str
    digest: str | None = None
    void: tuple[str, ...] = ()
    guarantee: str | None = None
    max_wrong: float | None = None
    confidence: float | None = None
    expires: float | None = None


def proven(rules: Rules, drifted: frozenset[str], at_s: float) -> tuple[Proof, ...]:
    """Return the certificate of every workflow as it stands at a Unix time."""
    return tuple(_proof(flow, rules, drifted, at_s) for flow in sorted(rules.workflows))


def as_of(rules: Rules, proofs: tuple[Proof, ...]) -> Rules:
    """Return the rules in which these certificates count or do not, whatever the time."""
    certified = {one.workflow: _held(rules.certified.get(one.workflow), one) for one in proofs if one.digest}
    return msgspec.structs.replace(rules, certified=certified)


def _proof(flow: str, rules: Rules, drifted: frozenset[str], at_s: float) -> Proof:
    known = rules.certified.get(flow)
    stands = standing(rules.workflows[flow], known, at_s, drifted)
    if stands is None:
        return Proof(workflow=flow)
    found = Proof(workflow=flow, digest=stands.record.digest, void=stands.record.void)
    proven = known.certificate if known else None
    if proven is None:
        return found
    return msgspec.structs.replace(
        found, guarantee=proven.guarantee, max_wrong=proven.max_wrong, confidence=proven.confidence,
        expires=proven.expires,
    )  # fmt: skip


def _held(known: Certified | None, proof: Proof) -> Certified:
    if proof.void or known is None or known.certificate is None:
        return Certified(digest=proof.digest or "", problems=proof.void)
    return msgspec.structs.replace(known, certificate=msgspec.structs.replace(known.certificate, expires=math.inf))
