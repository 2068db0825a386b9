"""A collector outside this machine says how far it is, and a name that no table has is refused."""

from pathlib import Path

import pytest

from tierwise import config
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.telemetry.settings import TelemetrySettings


def test_nothing_is_sent_unless_it_is_said_where() -> None:
    assert TelemetrySettings().url is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.1"])
def test_a_collector_on_this_machine_is_local(host: str) -> None:
    assert TelemetrySettings(url=f"http://{host}:4318").lies_on is Tier.LOCAL


@pytest.mark.parametrize(
    "url", ["https://otel.example", "http://localhost.example:4318", "http://10.0.0.1", "nonsense"]
)
def test_any_other_must_say_how_far_it_is(url: str) -> None:
    with pytest.raises(ConfigError, match="how far") as refused:
        TelemetrySettings(url=url)
    assert refused.value.key == "telemetry.tier"
    with pytest.raises(ConfigError, match="on this machine"):
        TelemetrySettings(url=url, tier=Tier.LOCAL)
    assert TelemetrySettings(url=url, tier=Tier.FRONTIER).lies_on is Tier.FRONTIER


@pytest.mark.parametrize(
    ("variable", "names"),
    [
        ("gen_ai_latest_experimental", "latest"),
        ("http, gen_ai_latest_experimental ,database", "latest"),
        ("http/dup", "v1.41"),
        ("", "v1.41"),
    ],
)
def test_the_variable_of_the_conventions_switches(tmp_path: Path, variable: str, names: str) -> None:
    environ = {"TIERWISE_HOME": str(tmp_path), "OTEL_SEMCONV_STABILITY_OPT_IN": variable}
    settings = config.load(None, environ=environ)
    assert settings.document.telemetry.names == names
    told = {key: source for key, _, source in config.effective(settings)}
    assert told["telemetry.names"] == ("env OTEL_SEMCONV_STABILITY_OPT_IN" if names == "latest" else "default")


def test_a_header_is_a_reference_and_a_literal_one_is_never_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a reference") as refused:
        config.parse('[telemetry]\nurl = "http://127.0.0.1:4318"\nheaders = { authorization = "Bearer plain" }')
    assert "plain" not in str(refused.value)
