"""A gateway follows the releases of the policy, and keeps what it has where one cannot be used."""

import asyncio
import itertools

import msgspec
import pytest

from tests.unit.gateway.test_decide import rules
from tierwise.core.call import Part
from tierwise.core.errors import ConfigError, StoreError
from tierwise.gateway.releases import Releases, policy_of
from tierwise.gateway.rules import Rules
from tierwise.ledger.releases import POLICY, Release, digest_of
from tierwise.policy.detect import MAX_SCAN_S, Detectors
from tierwise.policy.released import Written, canonical
from tierwise.policy.settings import LabelSettings, Pattern, Rule, Then

STRICT = Written(rule=(Rule(name="none", then=Then(deny=True)),))
WRONG = Written(labels=LabelSettings(patterns={"odd": Pattern(pattern="(")}))


class Kept:
    """A ledger's releases; `broken` makes it unreadable."""

    def __init__(self) -> None:
        self.releases: list[Release] = []
        self.broken = False

    def add(self, policy: bytes | None) -> None:
        number = len(self.releases) + 1
        digest = None if policy is None else digest_of(policy)
        self.releases.append(Release(number=number, who="w", why="y", ts=0.0, body=policy, digest=digest))

    async def release_heads(self) -> dict[str, int]:
        if self.broken:
            raise StoreError("the disk is gone")
        return {one.subject: one.number for one in self.releases}

    async def release(self, number: int | None = None, subject: str = POLICY) -> Release | None:
        return next((one for one in reversed(self.releases) if one.subject == subject), None)


class Serving:
    def __init__(self, in_force: Rules) -> None:
        self.rules = in_force


def test_a_release_is_taken_up_once_and_detached_again() -> None:
    kept, gateway = Kept(), Serving(rules())
    own, releases = gateway.rules, Releases(gateway, kept, Written(), [])
    asyncio.run(releases.look())
    assert gateway.rules is own, "nothing was released"
    kept.add(canonical(STRICT))
    asyncio.run(releases.look())
    taken = gateway.rules
    assert (taken.policy.digest, releases.number) == (own.under(STRICT).policy.digest, 1)
    assert taken.catalog is own.catalog
    asyncio.run(releases.look())
    assert gateway.rules is taken, "it is compiled once"
    kept.add(None)
    asyncio.run(releases.look())
    assert (gateway.rules.policy.digest, releases.number) == (own.policy.digest, 2)


def test_a_release_keeps_the_limit_of_time_of_a_scan_and_what_loads_an_extra() -> None:
    wanted: list[str] = []

    def load(name: str) -> None:
        wanted.append(name)
        raise ImportError(name)

    ticks = itertools.count(step=2 * MAX_SCAN_S)
    own = msgspec.structs.replace(rules(), detectors=Detectors(LabelSettings(), lambda: float(next(ticks)), load))
    text = Part(kind="text", path="messages[0].content", text="four thousand words")
    (found,) = own.under(STRICT).detectors.scan((text,))
    assert (found.detector, found.detail) == ("scan", f"more than {MAX_SCAN_S:g} seconds")
    with pytest.raises(ConfigError, match="identifiers"):
        own.under(Written(labels=LabelSettings(identifiers=True)))
    assert wanted, "the extra is looked for, not taken for missing"


def test_what_cannot_be_compiled_read_or_reached_changes_nothing_and_is_said_until_it_is_mended() -> None:
    kept, gateway = Kept(), Serving(rules())
    own, releases = gateway.rules, Releases(gateway, kept, Written(), [])
    for policy in (canonical(WRONG), b'{"labels":{"from":"a later version"}}'):
        kept.add(policy)
        asyncio.run(releases.look())
        assert gateway.rules is own
        assert "release 0 stays" in (releases.problem or "")
        assert "not in force" in (releases.warning or "")
    kept.add(canonical(STRICT))
    asyncio.run(releases.look())
    assert (releases.problem, releases.warning, releases.number) == (None, None, 3)
    kept.broken = True
    asyncio.run(releases.look())
    assert "the disk is gone" in (releases.problem or "")
    kept.broken = False
    asyncio.run(releases.look())
    assert releases.problem is None


def test_without_a_release_the_file_counts() -> None:
    assert policy_of(None, STRICT) is STRICT
