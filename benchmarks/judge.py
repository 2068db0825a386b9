"""How many microseconds does policy take over a whole candidate set? Run: scripts/bench judge [--most-us 50]

500 rules, 50 candidates, one core; each judgement of all candidates is timed by itself. `cold`: every class of calls
(label, workflow, key) once, for the first time. `warm`: a hundred classes again and again. Both end with the verdict,
the first rule and the duties of every candidate. `explained`: warm, with the reason tree of every candidate beside.
`load`: each rule checked once against each candidate, before the first call.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable

from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.judge import Policy, Target
from tierwise.policy.settings import LabelSettings, Rule, Then, When

NAMES, REGIONS, AGREEMENTS = 40, ("eu", "us", "ch"), ("none", "dpa", "baa")


def rules(draw: random.Random, count: int) -> list[Rule]:
    """Return rules as organisations write them: by label, workflow or key, on what an endpoint states."""

    def when() -> When:
        given: dict[str, object] = {}
        if draw.random() < 0.4:
            given["label"] = draw.choice(list(Label))
        if draw.random() < 0.5:
            given[draw.choice(("workflow", "workflow_not"))] = _some(draw, "w")
        if draw.random() < 0.3:
            given["key"] = _some(draw, "k")
        facts = {
            "tier": draw.choice(list(Tier)),
            "region_not": draw.sample(REGIONS, 2),
            "agreement_not": draw.choice(AGREEMENTS),
            "retention_over_days": draw.choice((0, 30)),
            "trains_on_data": True,
            "endpoint": f"e{draw.randrange(20)}",
            "model": f"m{draw.randrange(50)}",
            "environment_not": "production",
        }
        for name in draw.sample(list(facts), draw.randint(1, 2)):
            value = facts[name]
            given[name] = tuple(value) if isinstance(value, list) else value
        return When(**given)  # type: ignore[arg-type]

    duties = ("no_store", "no_fallback", "human_review", "pseudonymise")
    thens = (Then(deny=True), Then(require="all"), *(Then(obligations=(duty,)) for duty in duties))
    weights = (1, 1, 2, 2, 2, 2)
    return [Rule(when=when(), then=draw.choices(thens, weights)[0], name=f"r{n}") for n in range(count)]


def targets(draw: random.Random, count: int) -> list[Target]:
    """Return candidates on endpoints that state some things and leave others unsaid."""
    endpoints = [
        Endpoint(
            name=f"e{n}",
            kind="scripted",
            wires=("chat",),
            tier=draw.choice(list(Tier)),
            region=draw.choice((None, *REGIONS)),
            agreement=draw.choice((None, *AGREEMENTS)),
            retention_days=draw.choice((None, 0, 30)),
            trains_on_data=draw.choice((None, False)),
            environment="production",
        )
        for n in range(20)
    ]
    found = [draw.choice(endpoints) for _ in range(count)]
    return [Target(e, Model(id=f"m{n}", endpoint=e.name, served_name=f"m{n}")) for n, e in enumerate(found)]


def measured(calls: list[Callable[[], object]]) -> dict[str, float]:
    """Return microseconds at the median and the 99th percentile, and the longest."""
    spent = []
    for call in calls:
        begin = time.perf_counter_ns()
        call()
        spent.append(time.perf_counter_ns() - begin)
    spent.sort()
    found = {f"p{p}_us": round(spent[int(len(spent) * p / 100)] / 1000, 1) for p in (50, 99)}
    return found | {"max_us": round(spent[-1] / 1000, 1)}


def _some(draw: random.Random, kind: str) -> tuple[str, ...]:
    return tuple(f"{kind}{draw.randrange(NAMES)}" for _ in range(draw.randint(1, 3)))


def main() -> int:
    """Measure and print; say 1 where a limit was given and is exceeded."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rules", type=int, default=500)
    options.add_argument("--candidates", type=int, default=50)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--most-us", type=float, help="fail where the 99th percentile, warm or cold, is above this")
    given = options.parse_args()
    draw = random.Random(given.seed)
    policy, looked_at = Policy(LabelSettings(), rules(draw, given.rules)), targets(draw, given.candidates)
    names = [[None, *(f"{kind}{n}" for n in range(NAMES))] for kind in "wk"]
    classes = [(label, workflow, key) for label in Label for workflow in names[0] for key in names[1]]
    draw.shuffle(classes)
    begin = time.perf_counter()
    policy.judge(*classes.pop(), looked_at)
    load_ms = (time.perf_counter() - begin) * 1000
    cold = measured([lambda call=call: policy.judge(*call, looked_at) for call in classes])
    few = [classes[number % 100] for number in range(len(classes))]
    [policy.judge(*call, looked_at) for call in few]
    warm = measured([lambda call=call: policy.judge(*call, looked_at) for call in few])
    told = [lambda call=call: (policy.judge(*call, looked_at), policy.explain(*call, looked_at)) for call in few]
    measured(told)
    report = {
        "rules": given.rules,
        "candidates": given.candidates,
        "classes": len(classes),
        "load_ms": round(load_ms, 1),
        "warm": warm,
        "cold": cold,
        "explained": measured(told),
    }
    print(json.dumps(report))
    return int(given.most_us is not None and max(warm["p99_us"], cold["p99_us"]) > given.most_us)


if __name__ == "__main__":
    sys.exit(main())
