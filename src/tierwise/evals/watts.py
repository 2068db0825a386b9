"""How much power does this machine draw? Counters of the processor (RAPL) and readings of graphics cards.

Knows no cost. Invariant: what is not measured is None, never 0; a sum says what it is of.
"""

import shutil
import subprocess
from pathlib import Path
from time import perf_counter

import msgspec

TIMEOUT_S = 5.0
QUERY = ("--query-gpu=power.draw", "--format=csv,noheader,nounits")
MICRO = 1_000_000


class Watts(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over a while. `of` names what was measured; what else draws power is not in it."""

    watts: float
    of: str


class Meter:
    """Measures from `begin` to `end`; between them `look` reads the cards, whose power is no counter."""

    def __init__(self, root: Path = Path("/"), cards: str = "nvidia-smi") -> None:
        self._folder, self._cards = root / "sys/class/powercap", shutil.which(cards)
        self._from: dict[str, tuple[int, int]] = {}
        self._started = 0.0
        self._drawn: list[float] = []

    def begin(self) -> None:
        """Begin anew."""
        self._from, self._drawn, self._started = counters(self._folder), [], perf_counter()
        self.look()

    def look(self) -> None:
        """Read the cards once."""
        found = None if self._cards is None else _asked(self._cards)
        if found is not None:
            self._drawn.append(found)

    def end(self) -> Watts | None:
        """Return the mean since the beginning; None where nothing here can be measured."""
        self.look()
        seconds, now = perf_counter() - self._started, counters(self._folder)
        parts = []
        if self._from and now.keys() == self._from.keys():
            parts.append(("processor (RAPL)", spent_joules(self._from, now) / seconds))
        if self._drawn:
            parts.append(("graphics cards", sum(self._drawn) / len(self._drawn)))
        if not parts:
            return None
        return Watts(watts=sum(watts for _, watts in parts), of=" and ".join(name for name, _ in parts))


def counters(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the energy that each processor package counted, and where its counter begins again, in microjoules."""
    found = {}
    for zone in sorted(folder.glob("*-rapl:*")):
        if zone.name.count(":") > 1:  # a part of a package, which counts it too
            continue
        try:
            counted, most = ((zone / name).read_text() for name in ("energy_uj", "max_energy_range_uj"))
            found[zone.name] = int(counted), int(most)
        except (OSError, ValueError):
            return {}
    return found


def spent_joules(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float:
    """Return what all packages took from one reading to the next; a counter may have begun again once."""
    return sum((after[name][0] - start) % (most + 1) for name, (start, most) in before.items()) / MICRO


def cards_watts(text: str) -> float | None:
    """Read what the tool says of all cards; None where it does not know it of one of them."""
    try:
        return sum(float(line) for line in text.splitlines() if line.strip()) if text.strip() else None
    except ValueError:
        return None


def _asked(tool: str) -> float | None:
    try:
        done = subprocess.run([tool, *QUERY], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return cards_watts(done.stdout)
