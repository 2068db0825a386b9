"""A witness is one place."""

import pytest

from tierwise.audit.settings import AuditSettings, WitnessRow
from tierwise.core.errors import ConfigError


@pytest.mark.parametrize(
    "said",
    [{}, {"path": "a", "url": "https://b.example"}, {"path": "a", "key": "env:K"}, {"path": "a", "ca_file": "f"}],
)
def test_a_witness_that_leads_nowhere_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        WitnessRow(**said)


def test_nothing_has_to_be_said() -> None:
    assert AuditSettings().witness == ()
    assert WitnessRow(url="https://store.example/bucket", key="env:TOKEN").every_s == 300
