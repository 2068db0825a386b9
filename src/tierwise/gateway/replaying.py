"""How is a long ledger replayed in little time and memory? Ranges of records, shared out to processes.

Decides nothing: what each record means is `replay`'s. A short ledger is done here, as starting processes takes longer.
Invariant: each record is counted once, and a part that fails fails the whole.
"""

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from tierwise.gateway.flips import Tally
from tierwise.ledger.protocol import Records
from tierwise.ledger.scan import Range

FEW_RECORDS = 20_000
PARTS_PER_WORKER = 8
MOST_WORKERS = 8

Compare = Callable[[Iterable[bytes]], Tally]
Build = Callable[[], Compare]
Open = Callable[[], Records]
"""Make what compares, and what is compared; they travel to the processes, so they have to be picklable."""


def replayed(build: Build, opened: Open, told: Callable[[int, int], None] = lambda _done, _all: None) -> Tally:
    """Compare all records. `told` hears how many numbers of how many are through."""
    whole, total = opened().range(), Tally()
    count = whole.last - whole.after
    workers = min(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1, MOST_WORKERS)
    done = 0
    for part, tally in _parts(build, opened, whole, workers if count > FEW_RECORDS else 1):
        total.merge(tally)
        done += part.last - part.after
        told(done, count)
    return total


def _parts(build: Build, opened: Open, whole: Range, workers: int) -> Iterator[tuple[Range, Tally]]:
    parts = whole.split(workers * PARTS_PER_WORKER)
    if workers == 1:
        compare, records = build(), opened()
        yield from ((part, compare(records.records(part))) for part in parts)
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=fresh, initializer=_begin, initargs=(build, opened)) as pool:
        working = {pool.submit(_one, part): part for part in parts}
        try:
            for ended in as_completed(working):
                yield working[ended], ended.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """What a process of the pool compares with; set once, when it begins."""

    compare: Compare
    records: Records


def _begin(build: Build, opened: Open) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends the pool
    compare = build()
    # What is built lives as long as the process, and nothing that a record leaves behind is a cycle.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    _Worker.compare, _Worker.records = staticmethod(compare), opened()


def _one(part: Range) -> Tally:
    return _Worker.compare(_Worker.records.records(part))
