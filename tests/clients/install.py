"""Where do the clients come from? Makes each environment once, at its pinned versions, in a folder of the caller's choice.

The only part that needs a network. Invariant: nothing is installed outside that folder.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clients.catalog import Environment

NODE = "22.23.3"
LIMIT_S = 1200


class NotInstalled(Exception):
    """An environment could not be made; the text says why."""


def installed(environment: Environment, folder: Path) -> Path:
    """Return the environment's folder, made first if it is not there or holds something else."""
    place, stamp = folder / environment.name, folder / environment.name / "stamp"
    wanted = " ".join((sys.version.split()[0], *_pinned(environment)))
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        sys.stderr.write(f"installing {environment.name}: {' '.join(_pinned(environment))}\n")
        if environment.kind == "python":
            _run(sys.executable, "-m", "venv", str(place))
            pip = (str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install")
            _run(*pip, "--quiet", "--only-binary", ":all:", *_pinned(environment))
        else:
            _npm(place, *_pinned(environment), path=_node(folder))
        stamp.write_text(wanted)
    return place


def stands(environment: Environment, folder: Path) -> bool:
    """Say whether the environment was made whole."""
    return (folder / environment.name / "stamp").is_file()


def programs(environment: Environment, folder: Path) -> list[Path]:
    """Return the folders that go in front of the path to run what is installed there."""
    place = folder / environment.name
    return [place / "bin"] if environment.kind == "python" else [place / "node_modules" / ".bin", _node(folder)]


def _pinned(environment: Environment) -> tuple[str, ...]:
    between = "==" if environment.kind == "python" else "@"
    return tuple(f"{package}{between}{version}" for package, version in environment.packages.items())


def _node(folder: Path) -> Path:
    """Return the folder of a Node that is new enough for all: npm carries it as a package."""
    place = folder / "runtime"
    stamp = place / "stamp"
    if not stamp.is_file() or stamp.read_text() != NODE:
        place.mkdir(parents=True, exist_ok=True)
        _npm(place, f"node@{NODE}", path=None)
        stamp.write_text(NODE)
    return place / "node_modules" / ".bin"


def _npm(place: Path, *packages: str, path: Path | None) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("npm is not on this machine")
    (place / "package.json").write_text('{"private": true}\n')
    quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error")
    _run(npm, "install", *quiet, *packages, cwd=place, first=path)


def _run(*words: str, cwd: Path | None = None, first: Path | None = None) -> str:
    environ = {**os.environ, "PATH": os.pathsep.join([str(first), os.environ["PATH"]])} if first else None
    done = subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode:
        raise NotInstalled(f"{' '.join(words[:6])}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout
