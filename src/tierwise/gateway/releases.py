"""Which policy is in force here? Follows the ledger's releases, so that each running gateway takes one up by itself.

A release is read and compiled aside, then the rules are swapped in one step: no request waits for it or fails by it.
Invariant: a release that cannot be read or compiled changes nothing but `problem`, which says so until it is mended.
"""

import asyncio
import logging
from typing import Protocol

from tierwise.core.errors import ConfigError, StoreError
from tierwise.gateway.rules import Rules
from tierwise.gateway.soundness import refuse
from tierwise.ledger.releases import Release
from tierwise.policy.released import Written, parse

POLL_S = 0.4
STALE = "the newest release of the policy is not in force here; the log says why, and so does `tierwise doctor`"
_log = logging.getLogger("tierwise.policy")


class Source(Protocol):
    """Where releases are kept."""

    async def release_version(self) -> int:
        """Return a number that rises with each release."""

    async def release(self, number: int | None = None) -> Release | None:
        """Return the release of this number, or the one in force. StoreError for a damaged one."""


class InForce(Protocol):
    """Whose rules are swapped."""

    rules: Rules


def policy_of(release: Release | None, written: Written) -> Written:
    """Return what is in force under this release; without one, or after a detaching one, what the file says."""
    return written if release is None or release.policy is None else parse(release.policy)


def put_in_force(rules: Rules, policy: Written) -> Rules:
    """Return the rules with this policy in force, checked as at a start. Raises ConfigError where it cannot be."""
    found = rules.under(policy)
    refuse(found, policy.rule)
    return found


class Releases:
    """Follows the releases for one gateway. `number` is the one in force, 0 for the file's own policy.

    `problem` says why the newest one is not in force, None where it is. `written` is what the file says.
    """

    def __init__(self, gateway: InForce, source: Source, written: Written, began: Release | None) -> None:
        self._gateway, self._source, self._written = gateway, source, written
        self.number = began.number if began else 0
        self.problem: str | None = None

    @property
    def warning(self) -> str | None:
        """Return what strangers may know of the problem: that there is one."""
        return STALE if self.problem else None

    async def follow(self) -> None:
        """Look for a new release again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.look()
            except Exception as error:  # a defect of ours must not end the following in silence
                _log.exception("the newest release of the policy could not be looked for")
                self.problem = f"the newest release of the policy could not be looked for: {type(error).__name__}"

    async def look(self) -> None:
        """Take up the newest release where it is another than the one in force."""
        try:
            if await self._source.release_version() != self.number:
                await self._take_up()
            self.problem = None
        except (StoreError, ConfigError) as error:
            problem = f"the newest release of the policy is not in force here, release {self.number} stays: {error}"
            if problem != self.problem:
                _log.error("%s", problem)
            self.problem = problem

    async def _take_up(self) -> None:
        release = await self._source.release()
        policy = policy_of(release, self._written)
        self._gateway.rules = rules = await asyncio.to_thread(put_in_force, self._gateway.rules, policy)
        self.number = release.number if release else 0
        _log.warning("release %d of the policy is in force: %s", self.number, rules.policy.digest)
