"""Values from the environment: they override the file, and a wrong one names its variable."""

from pathlib import Path

import pytest

from tierwise import config
from tierwise.core.errors import ConfigError


def loaded(tmp_path: Path, **environ: str) -> config.Settings:
    file = tmp_path / "tierwise.toml"
    file.write_text("[server]\nport = 7000\n")
    return config.load(file, environ={"TIERWISE_HOME": str(tmp_path), **environ})


def test_a_variable_overrides_the_file_and_says_so(tmp_path: Path) -> None:
    settings = loaded(tmp_path, TIERWISE_SERVER_PORT="7474")
    assert settings.document.server.port == 7474
    assert settings.sources["server.port"] == "env TIERWISE_SERVER_PORT"


def test_text_that_looks_like_a_number_is_text_where_text_is_wanted(tmp_path: Path) -> None:
    assert loaded(tmp_path, TIERWISE_LEDGER_PATH="2026").document.ledger.path == "2026"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIERWISE_SERVER_PORT", "abc"),
        ("TIERWISE_SERVER_PORT", "74 74"),
        ("TIERWISE_SERVER_PORT", "[7474]"),
        ("TIERWISE_SERVER_PORT", "70000"),
        ("TIERWISE_LABELS_PRESET", "loose"),
    ],
)
def test_a_wrong_value_names_its_variable(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, **{variable: value})
    assert f"{variable}={value!r}" in str(caught.value)
    section, _, field = variable.removeprefix("TIERWISE_").lower().partition("_")
    assert caught.value.key == f"{section}.{field}"
