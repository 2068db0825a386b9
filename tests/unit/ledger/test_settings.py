"""What is accepted is obeyed; what is not built yet is refused when the configuration is read."""

import msgspec
import pytest

from tierwise.core.errors import ConfigError
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
