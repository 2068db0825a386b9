"""The secret is made once, for its owner only, and never quietly replaced."""

import threading
from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError
from tierwise.ledger.pepper import PEPPER_BYTES, make_pepper, read_pepper


def test_it_is_made_once_even_by_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.pepper"
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(make_pepper(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {read_pepper(path)}
    assert len(found) == 8
    assert len(found[0]) == PEPPER_BYTES
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["key.pepper"]


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "\x00"])
def test_a_damaged_one_is_said_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.pepper"
    path.write_text(text)
    for read in (read_pepper, make_pepper):
        with pytest.raises(ConfigError, match="restore" if text.startswith("00") or not text else "cannot be read"):
            read(path)
    assert path.read_text() == text


def test_a_missing_one_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="restore"):
        read_pepper(tmp_path / "key.pepper")
    assert not list(tmp_path.iterdir())
