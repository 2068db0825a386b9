"""How far has a workflow come: pilot, controlled production, platform? One rule, over what is recorded.

Pure. A pilot has nothing proven, or nothing of it in use. In controlled production something is proven and used, and
something is still watched: a model on trial, a certificate that does not count, or none. A platform answers its
traffic under a certificate that counts, with nothing on trial.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

Name = Literal["pilot", "controlled production", "platform"]
NAMES: tuple[Name, ...] = ("pilot", "controlled production", "platform")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands, why, and what takes it further."""

    name: Name
    why: str
    next: str


def stage(
    *, verdict: str | None, certificate: str | None, void: Sequence[str], trial: bool, used: bool, calls: int
) -> Stage:
    """Return the stage. `verdict` is that of the newest comparison that has one, `calls` those of the last 30 days.

    A verdict is proof where it is `expand`, and `used` says whether its choice answers; a certificate is proof where it
    is named and nothing makes it void.
    """
    counts = certificate is not None and not void
    if not counts and verdict != "expand":
        return Stage(name="pilot", why=_unproven(verdict, certificate, void), next=_proof(verdict))
    if certificate is None and not trial and not used:
        return Stage(
            name="pilot", why="a comparison says expand, and nothing of it is in use",
            next="put the model on trial, or certify and enter the certificate",
        )  # fmt: skip
    if trial:
        return _controlled("a model is on trial", "promote it or end the trial, once enough is shown")
    if not counts:
        why = f"the certificate does not count: {void[0]}" if void else "what is proven answers, without a certificate"
        return _controlled(why, "certify, and enter the certificate")
    if not calls:
        return _controlled("a certificate counts, and no call came in 30 days", "send calls to it")
    return Stage(
        name="platform", why="a certificate counts, all calls are under it, and no drift is seen",
        next="compare again before the certificate expires, or when a new model is there",
    )  # fmt: skip


def _controlled(why: str, further: str) -> Stage:
    return Stage(name="controlled production", why=why, next=further)


def _unproven(verdict: str | None, certificate: str | None, void: Sequence[str]) -> str:
    if certificate is not None:
        return f"its certificate does not count: {void[0]}" if void else "nothing is proven"
    if verdict is None:
        return "nothing is proven yet"
    return f"the newest verdict is {verdict.replace('_', ' ')}"


def _proof(verdict: str | None) -> str:
    match verdict:
        case None:
            return "compare, then decide"
        case "not_enough_evidence":
            return "more items, then compare again"
        case _:
            return "change what the verdict names, then compare again"
