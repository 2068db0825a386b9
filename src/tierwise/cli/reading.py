"""How is a long log read by several at once, with a bar for whoever waits?"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tierwise.ledger.audit_tables import LogReading, LogRow

BAR_FROM_ROWS = 100_000


class Several:
    """Gives what is read to each reading, and tells how many rows that were. `checkpoints` are the log's own."""

    def __init__(self, readings: Sequence[LogReading], tell: Callable[[int], None]) -> None:
        self.checkpoints: list[str] = []
        self._readings, self._tell, self._rows = readings, tell, 0

    def begin(self, checkpoints: Sequence[str], removal: str | None) -> None:
        """Begin each."""
        self.checkpoints = list(checkpoints)
        for one in self._readings:
            one.begin(checkpoints, removal)

    def take(self, rows: Sequence[LogRow]) -> None:
        """Give the rows to each."""
        for one in self._readings:
            one.take(rows)
        self._rows += len(rows)
        self._tell(self._rows)


@contextmanager
def bar(expected: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far a long reading is; give what is told so."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("reading the log"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = expected < BAR_FROM_ROWS or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bars:
        task = bars.add_task("", total=expected)
        yield lambda rows: bars.update(task, completed=rows)
