"""Which releases are in force here? Follows the ledger's, so that each running gateway takes one up by itself.

A release is read and compiled aside, then the rules are swapped in one step: no request waits for it or fails by it.
Invariant: a release that cannot be read or compiled changes nothing but `problem`, which says so until it is mended.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from tierwise.core.errors import ConfigError, StoreError
from tierwise.gateway.rules import Rules
from tierwise.gateway.soundness import refuse
from tierwise.ledger.releases import POLICY, Release, in_words
from tierwise.policy.released import Written, parse

POLL_S = 0.4
STALE = "the newest release of {} is not in force here; the log says why, and so does `tierwise doctor`"
_log = logging.getLogger("tierwise.releases")


class Source(Protocol):
    """Where releases are kept."""

    async def release_heads(self) -> dict[str, int]:
        """Return the number of the release in force of each subject that has any."""

    async def release(self, number: int | None = None, subject: str = POLICY) -> Release | None:
        """Return the release of this number, or the one in force. StoreError for a damaged one."""


class InForce(Protocol):
    """Whose rules are swapped."""

    rules: Rules


def policy_of(release: Release | None, written: Written) -> Written:
    """Return what is in force under this release; without one, or after a detaching one, what the file says."""
    return written if release is None or release.body is None else parse(release.body)


def put_in_force(rules: Rules, policy: Written) -> Rules:
    """Return the rules with this policy in force, checked as at a start. Raises ConfigError where it cannot be."""
    found = rules.under(policy)
    refuse(found, policy.rule)
    return found


async def of_workflows(source: Source) -> tuple[Release, ...]:
    """Return the releases of workflows that are in force. StoreError for a damaged one."""
    subjects = [subject for subject in await source.release_heads() if subject != POLICY]
    found = [await source.release(subject=subject) for subject in subjects]
    return tuple(release for release in found if release is not None)


class Releases:
    """Follows the releases for one gateway. `numbers` are those in force by subject, without any 0.

    `problem` says why a newest one is not in force, None where all are. `written` is the policy that the file says,
    `began` what was in force when the gateway's rules were made.
    """

    def __init__(self, gateway: InForce, source: Source, written: Written, began: Iterable[Release]) -> None:
        self._gateway, self._source, self._written = gateway, source, written
        self.numbers = {release.subject: release.number for release in began}
        self._problems: dict[str, str] = {}

    @property
    def number(self) -> int:
        """Return the number of the policy's release in force, 0 for the file's own policy."""
        return self.numbers.get(POLICY, 0)

    @property
    def problem(self) -> str | None:
        """Say what is wrong, None where nothing is."""
        return "; ".join(self._problems.values()) or None

    @property
    def warning(self) -> str | None:
        """Return what strangers may know of the problem: that there is one."""
        return (
            "; ".join(STALE.format("the policy" if one == POLICY else "a workflow") for one in self._problems) or None
        )

    async def follow(self) -> None:
        """Look for new releases again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.look()
            except Exception as error:  # a defect of ours must not end the following in silence
                _log.exception("new releases could not be looked for")
                self._problems[POLICY] = f"new releases could not be looked for: {type(error).__name__}"

    async def look(self) -> None:
        """Take up the newest release of each subject where it is another than the one in force."""
        try:
            heads = await self._source.release_heads()
        except StoreError as error:
            self._amiss(POLICY, f"new releases cannot be looked for, what is in force stays: {error}")
            return
        for subject in {**self.numbers, POLICY: 0, **heads}:
            before = self.numbers.get(subject, 0)
            try:
                if heads.get(subject, 0) != before:
                    await self._take_up(subject)
                self._problems.pop(subject, None)
            except (StoreError, ConfigError) as error:
                named = in_words(subject)
                self._amiss(
                    subject, f"the newest release of {named} is not in force here, release {before} stays: {error}"
                )

    def _amiss(self, subject: str, problem: str) -> None:
        if problem != self._problems.get(subject):
            _log.error("%s", problem)
        self._problems[subject] = problem

    async def _take_up(self, subject: str) -> None:
        release = await self._source.release(subject=subject)
        if release is None:  # another ledger lies there by now
            release = Release(subject=subject, number=0, who="", why="", ts=0.0)
        if subject == POLICY:
            policy = policy_of(release, self._written)
            self._gateway.rules = await asyncio.to_thread(put_in_force, self._gateway.rules, policy)
        else:
            self._gateway.rules = self._gateway.rules.rolled_out(release)
        self.numbers[subject] = release.number
        _log.warning("%s is in force: %s", release, release.digest or "what the file says")
