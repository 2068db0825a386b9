"""Where do the clients come from? Makes each environment once, in a folder of the caller's choice, and tells versions.

The only part that needs a network. Invariant: nothing is installed outside that folder.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clients.catalog import Environment

NODE = "22"
LIMIT_S = 1200


class NotInstalled(Exception):
    """An environment could not be made; the text says why."""


def installed(environment: Environment, folder: Path, *, again: bool) -> Path:
    """Return the environment's folder, made first if it is not there, differs, or is wanted `again`."""
    place, stamp = folder / environment.name, folder / environment.name / "stamp"
    wanted = " ".join((sys.version.split()[0], *environment.packages))
    if again or not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        sys.stderr.write(f"installing {environment.name}: {', '.join(environment.packages)}\n")
        if environment.kind == "python":
            _run(sys.executable, "-m", "venv", str(place))
            pip = (str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install")
            _run(*pip, "--quiet", "--only-binary", ":all:", *environment.packages)
        else:
            _npm(place, *(f"{package}@latest" for package in environment.packages), path=_node(folder))
        stamp.write_text(wanted)
    return place


def programs(environment: Environment, folder: Path) -> list[Path]:
    """Return the folders that go in front of the path to run what is installed there."""
    place = folder / environment.name
    return [place / "bin"] if environment.kind == "python" else [place / "node_modules" / ".bin", _node(folder)]


def version(environment: Environment, package: str, folder: Path) -> str:
    """Return the version that stands in the environment."""
    place = folder / environment.name
    if environment.kind == "node":
        return str(json.loads((place / "node_modules" / package / "package.json").read_text())["version"])
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return _run(str(place / "bin" / "python"), "-c", asked).strip()


def _node(folder: Path) -> Path:
    """Return the folder of a Node that is new enough for all: npm carries it as a package."""
    place = folder / "runtime"
    if not (place / "node_modules" / ".bin" / "node").exists():
        place.mkdir(parents=True, exist_ok=True)
        _npm(place, f"node@{NODE}", path=None)
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
