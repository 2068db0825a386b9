from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError
from tierwise.evals import runs


def begin(home: Path, workflow: str, ts: float) -> Path:
    place = runs.folder(home, workflow) / runs.new_id(ts)
    place.mkdir(parents=True)
    (place / runs.EVIDENCE).write_bytes(b"")
    return place


def test_the_newest_run_is_the_one_that_is_meant(tmp_path: Path) -> None:
    old, new = begin(tmp_path, "w", 1_700_000_000.0), begin(tmp_path, "w", 1_800_000_000.0)
    (runs.folder(tmp_path, "w") / "notes").mkdir()
    (runs.folder(tmp_path, "w") / "20990101-000000-abcd").mkdir()  # nothing began there
    assert runs.runs(tmp_path, "w") == [old, new]
    assert runs.newest(tmp_path, "w") == new
    assert runs.named(tmp_path, "w", old.name) == old


def test_a_run_that_is_not_there_is_told_with_what_would_help(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`tierwise compare w` does"):
        runs.newest(tmp_path, "w")
    new = begin(tmp_path, "w", 1_800_000_000.0)
    with pytest.raises(ConfigError, match=r"for 'ww'.*did you mean 'w'"):
        runs.newest(tmp_path, "ww")
    with pytest.raises(ConfigError, match=f"no run 'x'; there are {new.name}"):
        runs.named(tmp_path, "w", "x")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "/etc", "ä b", "%2E"])
def test_whatever_a_workflow_is_called_its_runs_lie_in_one_folder(tmp_path: Path, name: str) -> None:
    found = runs.folder(tmp_path, name)
    assert found.resolve().parent == (tmp_path / "evals").resolve()
    assert found != runs.folder(tmp_path, name + ".")


def test_one_process_at_a_time_adds_to_a_run(tmp_path: Path) -> None:
    with (
        runs.held(tmp_path / "run"),
        pytest.raises(ConfigError, match="another process"),
        runs.held(tmp_path / "run"),
    ):
        pass
    with runs.held(tmp_path / "run"):
        pass


def test_a_run_and_the_folders_above_it_are_for_their_owner_alone(tmp_path: Path) -> None:
    place = runs.folder(tmp_path, "mails") / "20261101-000000-00aa"
    with runs.held(place):
        assert [one.stat().st_mode & 0o077 for one in (place, place.parent, place.parent.parent)] == [0, 0, 0]


def test_a_workflow_whose_name_is_longer_than_any_folders_has_no_runs(tmp_path: Path) -> None:
    assert runs.runs(tmp_path, "x" * 5000) == []
