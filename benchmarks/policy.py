"""How many microseconds do a scan of 2 KB and one judgement take? Run: python benchmarks/policy.py"""

import statistics
import time
from collections.abc import Callable

from tierwise.core.call import Part
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy, Target
from tierwise.policy.settings import LabelSettings, Rule, Then, When

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


def judgements() -> None:
    endpoint = Endpoint(name="house", kind="vllm", wires=("chat",), tier=Tier.SELF_HOSTED, region="eu")
    target = Target(endpoint, Model(id="m", endpoint="house", served_name="m"))
    for count in (0, 10, 100):
        rules = [
            Rule(when=When(tier=Tier.FRONTIER, region_not="eu"), then=Then(deny=True), name=f"r{place}")
            for place in range(count)
        ]
        policy = Policy(LabelSettings(), rules)
        for label in (Label.INTERNAL, Label.RESTRICTED):
            spent = microseconds(lambda p=policy, v=label: p.judge(v, None, None, target), 5000)
            print(f"judgement, {count:3} rules, {label:12} {spent:8.2f} us")


if __name__ == "__main__":
    scans()
    judgements()
