"""What does ARCHITECTURE.md draw? The rows of packages and who may import which third-party package."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.tree import ROOT

ANYWHERE = "anywhere"


@dataclass(frozen=True)
class Drawing:
    """`row` by package, the `pure` packages, and per third-party package the places that may import it."""

    row: dict[str, int]
    pure: frozenset[str]
    third_party: dict[str, tuple[str, ...]]

    def row_of(self, package: str) -> int | None:
        """The row of a package; `apps.wiki` stands on the row of `apps.*`."""
        return self.row.get(package, self.row.get(package.partition(".")[0] + ".*"))

    def may_import(self, third_party: str, module: str) -> bool:
        places = self.third_party.get(third_party, ())
        return ANYWHERE in places or any(module == place or module.startswith(place + ".") for place in places)


def read(path: Path = ROOT / "ARCHITECTURE.md") -> Drawing:
    """Parse the two fenced blocks `rows` and `imports`."""
    text = path.read_text(encoding="utf-8")
    row: dict[str, int] = {}
    pure: set[str] = set()
    for line in _block(text, "rows"):
        number, packages = line.split(maxsplit=1)
        names = re.split(r"\s{3,}", packages)[0].split()
        row |= {name: int(number) for name in names if name != "|"}
        before_bar = names[: names.index("|")] if "|" in names else names
        if int(number) <= 2:
            pure |= set(before_bar)
    third_party = {name: tuple(places) for name, *places in map(str.split, _block(text, "imports"))}
    return Drawing(row, frozenset(pure), third_party)


def _block(text: str, kind: str) -> list[str]:
    match = re.search(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise AssertionError(f"ARCHITECTURE.md has no ```{kind} block")
    return [line for line in match[1].splitlines() if line.strip()]
