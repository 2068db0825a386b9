"""A pasted policy: in a file only while a command reads it, and for nobody else."""

import stat
from pathlib import Path

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.web.drafts import MAX_CHARS, MOST_KEPT, Drafts


def test_a_text_lies_in_a_private_file_only_while_it_is_read(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path / "drafts")
    name = drafts.keep("[labels]\r\ndefault = 'public'\r\n")
    with drafts.file(name) as path:
        assert path.read_text() == "[labels]\ndefault = 'public'\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()
    with pytest.raises(RuntimeError), drafts.file(name) as path:
        raise RuntimeError
    assert not list((tmp_path / "drafts").iterdir())


def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "policy-1.toml").write_text("secret project")
    Drafts(tmp_path)
    assert not list(tmp_path.iterdir())


def test_only_so_many_are_kept_and_none_that_is_empty_or_too_long(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    names = [drafts.keep(f"# {number}") for number in range(MOST_KEPT + 1)]
    assert drafts.text(names[-1]) == f"# {MOST_KEPT}"
    for name in (names[0], "../x"):
        with pytest.raises(InvalidCall, match="paste it again"):
            drafts.text(name)
    for text in ("", "  \n", "x" * (MAX_CHARS + 1)):
        with pytest.raises(InvalidCall):
            drafts.keep(text)
