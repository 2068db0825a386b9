"""How many microseconds does a scan of 2 KB take? Run: scripts/bench policy (a judgement: scripts/bench judge)"""

import statistics
import time
from collections.abc import Callable

from tierwise.core.call import Part
from tierwise.policy.detect import Detectors
from tierwise.policy.settings import LabelSettings

PROSE = (
    "Our meeting moved to Thursday at 14:30 in room 4.12; please bring the three reports and the plan for next year. "
    "I still wait for the parcel that was sent on 2026-10-01, and the tracking page says nothing new since then. "
)
NUMBERS = "2026-10-01 12:00:01,204 INFO worker-7 took 1834 ms for 20480 rows, offset 1700000000000000 ok\n"


def microseconds(call: Callable[[], object], times: int) -> float:
    """Return the median over seven rounds of the time per call."""
    rounds = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(times):
            call()
        rounds.append((time.perf_counter() - start) / times * 1e6)
    return statistics.median(rounds)


def scans() -> None:
    detectors = Detectors(LabelSettings())
    texts = {
        "clean prose": (PROSE * 20)[:2048],
        "clean prose with accents": (PROSE * 20)[:2040] + " café",
        "log lines full of numbers": (NUMBERS * 40)[:2048],
        "prose with a card number": (PROSE * 20)[:2000] + " card 4539 1488 0343 6467",
    }
    for name, text in texts.items():
        parts = (Part(kind="text", path="messages[0].content", text=text),)
        print(f"scan 2 KB, {name:28} {microseconds(lambda parts=parts: detectors.scan(parts), 1000):8.2f} us")


if __name__ == "__main__":
    scans()
