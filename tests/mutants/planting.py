"""Which defects are planted, and what is a copy of the sources with one of them in it?

The rows are in `defects/AREA.toml`. Knows no tests but by name.
Invariant: a defect changes exactly one place of one file of the copy, and nothing of the project itself.
"""

import ast
import shutil
import tomllib
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
ROWS = Path(__file__).parent / "defects"


class Defect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One defect: in `file`, `find` becomes `put`. `source` names the incident that it is modelled on, `tests` are files
    and node ids of tests that must notice it."""

    name: str
    area: str
    what: str
    source: str
    file: str
    find: str
    put: str
    tests: tuple[str, ...]

    def problems(self) -> list[str]:
        """Say why it cannot be planted; empty where it fits the sources."""
        told = []
        file = SOURCES / "tierwise" / self.file
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if (places := text.count(self.find)) != 1:
            told.append(f"its text stands {places} times in {self.file}, not once")
        elif problem := _broken(text.replace(self.find, self.put)):
            told.append(problem)
        return told


def defects() -> list[Defect]:
    """Return all rows."""
    return [
        msgspec.convert(row | {"area": file.stem}, Defect)
        for file in sorted(ROWS.glob("*.toml"))
        for row in tomllib.loads(file.read_text(encoding="utf-8"))["defect"]
    ]


def copied(folder: Path, sources: Path = SOURCES) -> Path:
    """Copy the sources, with what is compiled of them; return what goes onto PYTHONPATH."""
    there = folder / "src"
    shutil.copytree(sources, there)
    return there


def planted(defect: Defect, folder: Path, sources: Path = SOURCES) -> Path:
    """Copy the sources with the defect in them."""
    there = copied(folder, sources)
    file = there / "tierwise" / defect.file
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()
    file.write_text(file.read_text(encoding="utf-8").replace(defect.find, defect.put), encoding="utf-8")
    return there


def _broken(text: str) -> str:
    try:
        ast.parse(text)
    except SyntaxError as error:
        return f"planted, it is no Python: {error}"
    return ""
