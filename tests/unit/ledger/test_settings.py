"""What is accepted is obeyed; what is not built yet is refused when the configuration is read."""

import msgspec
import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.ledger.settings import LedgerSettings


def test_defaults_store_no_content_and_survive_power_loss() -> None:
    settings = LedgerSettings()
    assert (settings.durability, settings.store_content, settings.retention_days) == ("full", "none", None)


def test_no_retention_of_nothing() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        LedgerSettings(retention_days=0)


@pytest.mark.parametrize("toml", ['durability = "off"', "retension_days = 3", "path = 3"])
def test_what_is_not_a_setting_is_refused(toml: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(toml, type=LedgerSettings)


def test_what_a_file_may_say() -> None:
    found = msgspec.toml.decode('path = "x.db"\ndurability = "normal"\nretention_days = 30', type=LedgerSettings)
    assert found == LedgerSettings(path="x.db", durability="normal", retention_days=30)


@pytest.mark.parametrize(("keep", "hours"), [("12h", 12), ("90d", 90 * 24), ("8w", 8 * 7 * 24)])
def test_how_long_records_are_kept(keep: str, hours: int) -> None:
    assert LedgerSettings(keep=keep).keep_s == hours * 3600
    assert LedgerSettings().keep_s is None
    assert LedgerSettings(retention_days=3).keep_s == 3 * 86_400


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"keep": "90"}, "give hours, days or weeks"),
        ({"keep": "0d"}, "give hours, days or weeks"),
        ({"keep": "-1d"}, "give hours, days or weeks"),
        ({"keep": "90d", "retention_days": 90}, "say the same"),
        ({"url": "postgresql://me@db/l", "path": "x"}, "are for a file"),
        ({"url": "postgresql://me@db/l", "durability": "normal"}, "are for a file"),
        ({"url": "postgresql://me@db/l", "password": "hunter2"}, 'write "env:NAME"'),
        ({"password": "env:X"}, "go with ledger.url"),
        ({"ca_file": "ca.pem"}, "go with ledger.url"),
        ({"url": "postgresql://me:hunter2@db/l"}, "holds a password"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_and_a_password_not_shown(fields: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        LedgerSettings(**fields)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_how_much_content_is_kept_goes_by_the_label_up_to_the_next_one_named() -> None:
    settings = LedgerSettings(
        store_content="full", store_content_by_label={Label.CONFIDENTIAL: "redacted", Label.RESTRICTED: "none"}
    )
    assert [settings.content_level(label) for label in Label] == ["full", "full", "redacted", "none"]
    assert not LedgerSettings().keeps_content
    assert LedgerSettings(store_content_by_label={Label.RESTRICTED: "hash"}).keeps_content


@pytest.mark.parametrize(
    ("fields", "tier"),
    [
        ({}, Tier.LOCAL),
        ({"tier": Tier.SELF_HOSTED}, Tier.SELF_HOSTED),  # a file on somebody's share
        ({"url": "postgresql://me@127.0.0.1/l"}, Tier.LOCAL),
        ({"url": "postgresql://me@localhost/l"}, Tier.LOCAL),
        ({"url": "postgresql://me@db.example/l"}, Tier.SELF_HOSTED),
        ({"url": "postgresql://me@db.example/l", "tier": Tier.FRONTIER}, Tier.FRONTIER),
    ],
)
def test_how_far_from_the_data_the_ledger_lies(fields: dict[str, object], tier: Tier) -> None:
    assert LedgerSettings(**fields).lies_on is tier  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"content_keep": "30"}, "ledger.content_keep"),
        ({"content_keep": "31d", "keep": "30d"}, "ledger.content_keep"),
        ({"content_keep": "31d", "retention_days": 30}, "ledger.content_keep"),
        ({"url": "postgresql://me@db.example/l", "tier": Tier.LOCAL}, "ledger.tier"),
    ],
)
def test_a_promise_about_content_that_cannot_be_kept_is_refused(fields: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LedgerSettings(**fields)  # type: ignore[arg-type]
    assert caught.value.key == key
