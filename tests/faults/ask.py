"""Put the table to a gateway, row by row, and keep what came of it as values that can be stored and told.

Invariant: a row is only told as held where at least one case of it was asked and none had a problem.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from tests.faults.cases import CASES
from tests.faults.table import ROWS, Row
from tests.faults.target import Target

CASE_LIMIT_S = 180.0
RECOVERY_S = 300.0
_NOT_DONE = f"not done within {CASE_LIMIT_S:.0f} s"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a row. `asked` and `held` count cases at doors; `why` says why nothing was asked."""

    row: int
    asked: int = 0
    held: int = 0
    problems: tuple[str, ...] = ()
    why: str = ""

    @property
    def state(self) -> str:
        """The verdict in one word or two."""
        if not self.asked:
            return "not asked"
        return (
            "holds"
            if self.held == self.asked
            else f"{self.held} of {self.asked} hold"
            if self.held
            else "does not hold"
        )


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All rows put to one gateway."""

    gateway: str
    date: str
    rows: tuple[Told, ...]

    @property
    def holds(self) -> bool:
        """Whether all that was asked held."""
        return all(told.held == told.asked for told in self.rows)


def stored(path: Path) -> Run | None:
    """Read a run that was stored; None where there is none."""
    return msgspec.json.decode(path.read_bytes(), type=Run) if path.exists() else None


def written(run: Run) -> bytes:
    """Write a run to be stored."""
    return msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n"


async def ask(target: Target, rows: Iterable[Row] = ROWS, tell: Callable[[Told], None] = lambda _: None) -> list[Told]:
    """Ask every case that can be asked; tell each row as it is done. Row 0 is what holds for every row."""
    found, common = [], list[list[str]]()
    for row in rows:
        found.append(await _row(target, row, common))
        tell(found[-1])
    counts = Counter(problem for problems in common for problem in problems)
    problems = tuple(f"{problem} ({count} cases)" for problem, count in counts.most_common())
    held = sum(not problems for problems in common)
    return [Told(row=0, asked=len(common), held=held, problems=problems), *found]


async def _row(target: Target, row: Row, common: list[list[str]]) -> Told:
    pairs = [(case, door) for case in CASES if case.row == row.number for door in case.doors]
    reasons = {case.unasked(target, door): None for case, door in pairs}
    asked = [(case, door) for case, door in pairs if case.unasked(target, door) is None]
    problems: dict[str, None] = {}
    held = 0
    for case, door in asked:
        try:
            async with asyncio.timeout(CASE_LIMIT_S):
                found, others = await case.problems(target, door)
        except TimeoutError:
            found, others = [_NOT_DONE], [_NOT_DONE]
        if others:  # the next case must not suffer for this one
            await _recovered(target)
        common.append(others)
        held += not found
        problems |= {f"{door}: {text}": None for text in found}
    why = "" if asked else "; ".join(filter(None, reasons)) or "only seen from inside"
    return Told(row=row.number, asked=len(asked), held=held, problems=tuple(problems), why=why)


async def _recovered(target: Target) -> None:
    """Wait until a good request is answered again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RECOVERY_S):
            while await target.well():
                await asyncio.sleep(1)
