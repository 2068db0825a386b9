"""Which prompts were there? Kept by digest for ever; a name means the newest."""

from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals.prompt import Prompt
from tierwise.evals.prompts import Entry, Prompts

OLD, NEW = Prompt(user="old {{text}}"), Prompt(user="new {{text}}")


def entry(prompt: Prompt, name: str = "sorting") -> Entry:
    return Entry(name=name, digest=prompt.digest, ts=1.0, who="ann")


def test_a_prompt_is_found_by_name_digest_and_file(tmp_path: Path) -> None:
    store = Prompts(tmp_path)
    assert store.history() == []
    assert store.add(OLD, entry(OLD))
    assert store.add(NEW, entry(NEW))
    assert not store.add(NEW, entry(NEW))
    (tmp_path / "own.toml").write_text('user = "own {{text}}"')
    assert store.find("sorting") == NEW
    assert store.find(OLD.digest) == store.find(OLD.digest[7:15]) == OLD
    assert store.find("own.toml", tmp_path) == Prompt(user="own {{text}}")
    assert [one.digest for one in store.history()] == [OLD.digest, NEW.digest]


def test_a_name_may_go_back_to_an_earlier_prompt(tmp_path: Path) -> None:
    store = Prompts(tmp_path)
    for one in (OLD, NEW, OLD):
        assert store.add(one, entry(one))
    assert store.find("sorting") == OLD


def test_what_cannot_be_found_says_what_to_give(tmp_path: Path) -> None:
    store = Prompts(tmp_path)
    store.add(OLD, entry(OLD))
    for wanted in ("sort", OLD.digest[7:11], "../../etc/passwd", "0" * 64):
        with pytest.raises(ConfigError, match="tierwise prompt list"):
            store.find(wanted)
    with pytest.raises(ConfigError, match="no name"):
        store.add(OLD, entry(OLD, "../x"))


def test_a_history_that_was_damaged_is_said(tmp_path: Path) -> None:
    store = Prompts(tmp_path)
    store.add(OLD, entry(OLD))
    (tmp_path / "prompts" / "history.jsonl").write_text("{")
    with pytest.raises(ConfigError, match="no entry"):
        store.history()
