"""A session's placeholders last as long as it does; memory is bounded; nobody finds another's."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.gateway.vault import Vault
from tierwise.policy.pseudonyms import Pseudonyms


class Counted:
    """Random bytes that can be foretold."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(size, "little")


def test_a_session_keeps_its_own_and_shares_with_nobody() -> None:
    vault = Vault(random=Counted())
    ours = vault.of("ann", "s", 0.0)
    assert vault.of("ann", "s", 10.0) is ours
    assert len({id(vault.of(*place, 10.0)) for place in (("ann", "s"), ("bob", "s"), (None, "s"), ("ann", "t"))}) == 4
    assert vault.of("bob", "s", 10.0).tag != ours.tag


def test_a_session_that_was_silent_for_long_begins_anew() -> None:
    vault = Vault(max_age_s=100, random=Counted())
    ours = vault.of("ann", "s", 0.0)
    assert vault.of("ann", "s", 99.0) is ours
    assert vault.of("ann", "s", 198.0) is ours
    assert vault.of("ann", "s", 299.0) is not ours


class Naive:
    """The same promise as it is told: who was heard last when, and what each holds."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, float, Pseudonyms]] = []

    def of(self, session: str, now: float, given: Pseudonyms) -> bool:
        """Say whether the session is still known, then forget from the longest unused on."""
        known = next((row for row in self.kept if row[0] == session), None)
        self.kept = [row for row in self.kept if row is not known]
        fresh = known is None or now - known[1] > 100 or known[2] is not given
        self.kept.append((session, now, given))
        while len(self.kept) > 1 and (now - self.kept[0][1] > 100 or sum(p.weight_chars for *_, p in self.kept) > 1000):
            del self.kept[0]
        return not fresh


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 60), st.integers(0, 600)), max_size=25))
def test_age_and_size_forget_the_longest_unused_and_nobody_else(turns: list[tuple[str, int, int]]) -> None:
    vault, naive, now = Vault(max_age_s=100, max_chars=1000, random=Counted()), Naive(), 0.0
    last: dict[str, Pseudonyms] = {}
    for place, (session, passed_s, chars) in enumerate(turns):
        now += passed_s
        expected = any(row[0] == session and now - row[1] <= 100 for row in naive.kept)
        found = vault.of("ann", session, now)
        assert (found is last.get(session)) is expected
        assert naive.of(session, now, found) is expected
        assert len(vault) == len(naive.kept)
        found.name("CARD", f"{place}" + "x" * chars)
        last[session] = found
