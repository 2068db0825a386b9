"""Do the scripts say plainly what is missing, from wherever they are called? Set-up itself runs before these tests."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

NAMES = ("demo", "serve", "test", "check", "bench", "clients", "setup", "lock")
TOOLS = ("sh", "dirname", "cat", "cksum", "grep", "date")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the scripts and nothing set up."""
    shutil.copytree(ROOT / "scripts", tmp_path / "a clone" / "scripts")
    shutil.copytree(ROOT / "requirements", tmp_path / "a clone" / "requirements")
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "a clone")
    return tmp_path / "a clone"


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with a few tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def call(script: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **({"PATH": str(path)} if path else {})}
    environ.pop("PYTHON", None)
    return subprocess.run(
        ["/bin/sh", script, *arguments], env=environ, cwd="/", capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_script_can_be_run(name: str) -> None:
    script = ROOT / "scripts" / name
    assert os.access(script, os.X_OK)
    assert subprocess.run(["/bin/sh", "-n", script], check=False).returncode == 0


def test_no_python_is_said(clone: Path, bare_path: Path) -> None:
    done = call(clone / "scripts" / "demo", path=bare_path)
    assert done.returncode == 2
    assert "Python 3.11 or later is needed" in done.stderr
    assert "PYTHON=" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_said(clone: Path, bare_path: Path) -> None:
    fake = bare_path / "python3.12"
    fake.write_text("#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; *print*) echo 3.12 ;; esac\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    done = call(clone / "scripts" / "test", path=bare_path)
    assert done.returncode == 2
    assert "apt install python3.12-venv" in done.stderr


def test_an_unknown_set_or_benchmark_is_said(clone: Path) -> None:
    done = call(clone / "scripts" / "setup", "everything")
    assert (done.returncode, done.stderr) == (2, "usage: scripts/setup [run|dev]\n")
    done = call(ROOT / "scripts" / "bench", "nothing")
    assert done.returncode == 2
    assert "gateway" in done.stderr


def test_every_requirement_is_pinned_by_hash() -> None:
    for name in ("run", "dev"):
        lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
        packages = [place for place, line in enumerate(lines) if line and line[0] not in " #"]
        assert packages
        assert all("==" in lines[place] and "--hash=sha256:" in lines[place + 1] for place in packages)
        assert not [line for line in lines if "://" in line or line.startswith("-")]
