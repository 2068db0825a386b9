"""A session's placeholders last as long as it does; memory is bounded; nobody finds another's."""

from tierwise.gateway.vault import Vault


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


def test_the_longest_unused_are_forgotten_beyond_the_size() -> None:
    vault = Vault(max_chars=1000, random=Counted())
    first = vault.of("ann", "0", 0.0)
    for number in range(10):
        vault.of("ann", str(number), 1.0).name("CARD", "x" * 300)
    assert len(vault) <= 3
    assert vault.of("ann", "0", 1.0) is not first
