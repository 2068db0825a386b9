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
    assert loaded(tmp_path, TIERWISE_LEDGER_PATH="2026").document.ledger.path == str(tmp_path / "2026")


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[budget]]\nscope = "all"\nlimit_usd = "1"\nwindow = "2d"', "budget.window = '2d': one of 1h, 1d, 7d, 30d"),
        ('[ledger]\nstore_content = "some"', "ledger.store_content = 'some': one of none, hash, redacted, full"),
        ('[[rule]]\nwhen = { label = "secret" }', "rule.when.label = 'secret': one of public, internal"),
        ('[[key]]\nname = "a"\nsecret = "tw-plain-text"', "secret must be a reference"),
        ('[[endpoint]]\nname = "a"\nkind = "openai"\nkey = "tw-plain-text"', "endpoint 'a': key must be a reference"),
        ('[server]\nkey_pepper = "tw-plain-text"', "server.key_pepper must be a reference"),
    ],
)
def test_a_wrong_word_is_told_with_the_right_ones_and_a_literal_key_is_never_repeated(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "tierwise.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        config.load(tmp_path / "tierwise.toml", environ={"TIERWISE_HOME": str(tmp_path)})
    assert told in str(refused.value)
    assert "tw-plain-text" not in str(refused.value)


def test_every_path_is_relative_to_the_file_that_says_it_wherever_the_command_runs(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(
        '[ledger]\npath = "here.sqlite"\n[[audit.witness]]\npath = "../seen/notes"\n[[workflow]]\nname = "w"\n'
        'data = "items.jsonl"\n[[endpoint]]\nname = "e"\nkind = "openai_compatible"\n'
        'url = "https://example.test/v1"\nca_file = "ca.pem"\n'
    )
    found = config.load(tmp_path / "team.toml", environ={"TIERWISE_HOME": str(tmp_path / "home")}).document
    assert found.ledger.path == str(tmp_path / "here.sqlite")
    assert found.audit.witness[0].path == str(tmp_path / "../seen/notes")
    assert found.workflow[0].data == str(tmp_path / "items.jsonl")
    assert found.endpoint[0].ca_file == str(tmp_path / "ca.pem")
