"""What is accepted is obeyed; what is not built yet is refused when the configuration is read."""

import msgspec
import pytest

from tierwise.core.errors import ConfigError
from tierwise.ledger.settings import LedgerSettings


def test_defaults_store_no_content_and_survive_power_loss() -> None:
    settings = LedgerSettings()
    assert (settings.durability, settings.store_content, settings.retention_days) == ("full", "none", None)


@pytest.mark.parametrize("content", ["hash", "redacted", "full"])
def test_content_is_not_stored_yet_and_that_is_said(content: str) -> None:
    with pytest.raises(ConfigError, match="not built yet") as caught:
        LedgerSettings(store_content=content)  # type: ignore[arg-type]
    assert caught.value.key == "ledger.store_content"


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
