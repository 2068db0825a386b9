"""The file of probe results: whole or not at all, for its owner's eyes, and never misread."""

import stat
from pathlib import Path

import msgspec
import pytest

from tierwise.core.errors import ConfigError
from tierwise.registry.kept import keep, read
from tierwise.registry.probed import Finding, Probed

FOUND = Finding(check="schema", verdict="ignored", detail="'Blue.'", wire="chat")
ONE = Probed(model="m", endpoint="e", row="r", at="2026-11-21T08:00:00Z", findings=(FOUND,), read_tokens=5)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "probes.json"
    assert read(path) == ()
    other = msgspec.structs.replace(ONE, model="n")
    keep(path, [ONE])
    keep(path, [other])
    assert read(path) == (ONE, other)
    newer = msgspec.structs.replace(ONE, at="2026-11-22T08:00:00Z")
    keep(path, [newer])
    assert read(path) == (newer, other)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["probes.json"]


@pytest.mark.parametrize(
    "text", ["", "{", '{"probes":[{"model":"m"}]}', '{"probes":1}', '{"format":2}', "\ufeff", '"\\ud800"']
)
def test_a_file_that_is_none_is_an_error_that_names_the_mend(tmp_path: Path, text: str) -> None:
    path = tmp_path / "probes.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="doctor --probe"):
        read(path)
    with pytest.raises(ConfigError):
        keep(path, [ONE])
    assert path.read_text() == text


def test_where_no_file_can_be_there_is_none_and_none_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "home" / "probes.json"
    assert read(path) == ()
    with pytest.raises(ConfigError, match="TIERWISE_HOME"):
        keep(path, [ONE])
