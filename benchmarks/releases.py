"""Is a harmful release stopped, and a harmless one left alone? Run: scripts/bench releases [--json]

Simulated releases, half of them harmful, each through the gateway's own decision and the bounds that stop a canary;
only models and people are simulated. A harmful canary fails, is judged wrong, or is slow more often than its margin
allows; a harmless one does as well, slightly better, or worse by half the margin. A third of the calls belong to
sessions. The bounds are read again and again, as gateways do. Exit 1 where more than 5 % of the harmless ones are
stopped, or less than 95 % of the harmful ones.
"""

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import time
from decimal import Decimal
from functools import partial

import msgspec

from tierwise.core.call import Features, Hints
from tierwise.core.decision import AttemptRecord, Decision, Labelled
from tierwise.core.errors import Verdict
from tierwise.core.label import Label, Tier
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.arms import Arms
from tierwise.gateway.decide import Ask, decide, resolve
from tierwise.gateway.facts import Facts
from tierwise.gateway.overlay import Canary, Limits, Overlay, canonical
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.ids import new_id
from tierwise.ledger.releases import Release, of_workflow
from tierwise.ledger.remarks import Remark
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.settings import LabelSettings
from tierwise.registry.load import load
from tierwise.registry.settings import EndpointRow, ModelRow

MARGIN, SLOW_MS = 0.02, 1000.0
BASE = {"failed": 0.05, "judged": 0.10, "slow": 0.05}
HARMS = (
    {"failed": 0.06}, {"failed": 0.10}, {"failed": 0.25}, {"judged": 0.12}, {"judged": 0.25}, {"slow": 0.08},
    {"slow": 0.20}, {"failed": 0.06, "judged": 0.06}, {"failed": -0.03, "judged": 0.15}, {"failed": 0.9},
)  # fmt: skip
"""By how much more often a harmful canary is bad."""
HARMLESS = ({}, {}, {"failed": -0.02, "judged": -0.05}, {"failed": MARGIN / 2, "judged": MARGIN / 2})
SAID, IN_SESSIONS, TURNS = 0.3, 1 / 3, 4
FEATURES = Features(input_tokens_est=100)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one release. `stopped_after` is in calls of the workflow, None where it was not stopped."""

    harm: dict[str, float]
    harmful: bool
    stopped_after: int | None
    proven_after: int | None
    canary_calls: int


def rules(share: Decimal, salt: str) -> Rules:
    """Return what is in force: a workflow with one model, and another on trial."""
    endpoint = EndpointRow(name="e", kind="scripted", tier=Tier.LOCAL, url="http://127.0.0.1:1/v1")
    models = (ModelRow(id="old", endpoint="e"), ModelRow(id="new", endpoint="e"))
    labels = LabelSettings()
    own = Rules(
        catalog=load((endpoint,), models, lambda _reference: None),
        policy=Policy(labels, ()),
        labels=labels,
        detectors=Detectors(labels),
        workflows={"w": Workflow(name="w", candidates=("old",), trusted=("old",))},
    )
    canary = Canary(model="new", share=share, salt=salt, limits=Limits(margin=MARGIN, latency_ms=SLOW_MS))
    body = canonical(Overlay(candidates=("old",), trusted=("old",), canary=canary))
    return own.rolled_out(Release(subject=of_workflow("w"), number=1, who="", why="", ts=0.0, body=body))


def served(decision: Decision, rates: dict[str, float], draw: random.Random) -> Decision:
    """Return the record of a call whose first model fails, or is slow, at these rates; the next one then answers."""
    failed, slow = draw.random() < rates["failed"], draw.random() < rates["slow"]
    first = AttemptRecord(
        endpoint="e",
        model=decision.chosen or "",
        tier=Tier.LOCAL,
        started=0.0,
        duration_ms=2 * SLOW_MS if slow else SLOW_MS / 4,
        verdict="escalate" if failed else Verdict.OK,
    )
    second = msgspec.structs.replace(first, model="old", duration_ms=1.0, verdict=Verdict.OK)
    if not failed:
        return msgspec.structs.replace(decision, attempts=(first,), outcome="answered")
    last = (first, second) if decision.chosen == "new" else (first,)
    return msgspec.structs.replace(decision, attempts=last, outcome="answered" if len(last) > 1 else "failed")


def released(number: int, *, seed: int, most: int, share: str, every: int) -> Outcome:
    """Simulate one release: odd numbers are harmful."""
    draw, harmful = random.Random(f"{seed}-{number}"), number % 2 == 1
    harm = HARMS[number // 2 % len(HARMS)] if harmful else HARMLESS[number // 2 % len(HARMLESS)]
    in_force, facts = rules(Decimal(share), f"{seed}-{number}"), Facts(BreakerSettings(), [])
    rates = {"old": BASE, "new": {what: rate + harm.get(what, 0.0) for what, rate in BASE.items()}}
    arms, label = Arms(1, Limits(margin=MARGIN, latency_ms=SLOW_MS)), Labelled(value=Label.INTERNAL)
    canary_calls, proven = 0, None
    for call in range(1, most + 1):
        session = f"s{draw.randrange(most // TURNS // 3 + 1)}" if draw.random() < IN_SESSIONS else None
        ask = Ask(
            id=new_id(call, draw.randbytes(10)), ts=0.0, now=0.0, model="auto:w", wire="chat", features=FEATURES,
            hints=Hints(session=session),
        )  # fmt: skip
        ruling = decide(in_force, facts, ask, resolve(in_force, ask), label)
        mine = rates[ruling.decision.chosen or ""]
        record = msgspec.structs.replace(served(ruling.decision, mine, draw), seq=call)
        canary_calls += record.candidates[0].model != record.attempts[0].model
        arms.add(record)
        if draw.random() < SAID:
            wrong = draw.random() < mine["judged"]
            arms.hear(Remark(decision=record.id, score=float(not wrong)), record)
        if call % every == 0:
            found = arms.conclusion()
            if found.state == "harmful":
                return Outcome(
                    harm=harm, harmful=harmful, stopped_after=call, proven_after=proven, canary_calls=canary_calls
                )
            proven = proven or (call if found.state == "proven" else None)
    return Outcome(harm=harm, harmful=harmful, stopped_after=None, proven_after=proven, canary_calls=canary_calls)


def report(found: list[Outcome]) -> dict[str, object]:
    """Return what is to be said of the outcomes."""
    harmful, harmless = ([one for one in found if one.harmful is what] for what in (True, False))
    stopped = [one for one in harmful if one.stopped_after is not None]
    false = [one for one in harmless if one.stopped_after is not None]
    kinds = []
    for harm in HARMS:
        mine = [one for one in harmful if one.harm == harm]
        after = sorted(one.stopped_after for one in mine if one.stopped_after is not None)
        kinds.append({
            "harm": harm, "releases": len(mine), "stopped": len(after),
            "calls_median": statistics.median(after) if after else None, "calls_most": after[-1] if after else None,
        })  # fmt: skip
    proven = [one.proven_after for one in harmless if one.proven_after is not None]
    return {
        "harmful": len(harmful),
        "harmful_stopped": len(stopped),
        "harmless": len(harmless),
        "false_rollbacks": len(false),
        "harmless_proven": len(proven),
        "harmful_called_proven": sum(one.proven_after is not None for one in harmful),
        "kinds": kinds,
        "held": len(false) <= 0.05 * len(harmless) and len(stopped) >= 0.95 * len(harmful),
    }


def main() -> int:
    """Simulate, print, and say 1 where it is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--releases", type=int, default=200)
    options.add_argument("--most-calls", type=int, default=20_000, help="of the workflow, while a canary runs")
    options.add_argument("--share", default="0.25")
    options.add_argument("--every", type=int, default=100, help="after so many calls the bounds are read")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    began = time.perf_counter()
    one = partial(released, seed=given.seed, most=given.most_calls, share=given.share, every=given.every)
    with multiprocessing.Pool(given.processes) as pool:
        found = pool.map(one, range(given.releases), chunksize=1)
    said = report(found) | {"seconds": round(time.perf_counter() - began, 1), "seed": given.seed, "share": given.share}
    if given.json:
        print(json.dumps(said))
    else:
        print(f"harmful: {said['harmful_stopped']} of {said['harmful']} stopped")
        print(f"harmless: {said['false_rollbacks']} of {said['harmless']} stopped, {said['harmless_proven']} proven")
        for kind in said["kinds"]:  # type: ignore[attr-defined]
            print(f"  {kind['harm']}: {kind['stopped']} of {kind['releases']}, median {kind['calls_median']} calls")
    return 0 if said["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
