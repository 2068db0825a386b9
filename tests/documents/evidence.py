"""docs/reference/evidence.md, written from the figures beside it, which `scripts/bench evidence` measures.

`python -m tests.documents.evidence` writes the page anew. A proof that was not run is told as not run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE, FIGURES = FOLDER / "evidence.md", FOLDER / "evidence.json"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of words; one after the first that names a figure is told as that figure, and a share in percent."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, how it is shown, and the figures that are told of it."""

    claim: str
    how: str
    command: str
    tables: tuple[Table, ...]


def _certificates(manner: str) -> Table:
    named = {"wrong_given_accepted": "wrong, of the accepted", "wrong_and_accepted": "wrong and accepted, of all"}
    columns = ("held_least", "issued", "models_issued", "accepted", "naive")
    return Table(
        head=(
            manner,
            "risk",
            "held, at the least",
            "issued",
            "for so many models",
            "answers accepted",
            "`naive` breaks",
        ),
        rows=tuple(
            (words, f"{100 * float(risk):.0f} %", *(f"{manner}_{guarantee}_{risk}_{column}" for column in columns))
            for guarantee, words in named.items()
            for risk in ("0.01", "0.02", "0.05", "0.1")
        ),
    )


PROOFS: dict[str, Proof] = {
    "evaluation": Proof(
        claim="A candidate that is worse by the margin is promoted in at most 5 of 100 comparisons, whoever looks how often.",
        how="Simulated comparisons of two subjects, each with its own margin (3 to 6 points), base rate, clusters of items, "
        "missing answers and a judge that errs and was checked on 200 right and 200 wrong answers; read after every single answer by "
        "what reads real ones. Once the candidate is worse by just the margin, once it is as good as the baseline. The "
        "unpaired test of fixed size is reckoned for the same power, margin, judge, clusters and missing answers; its "
        "items are those of one arm.",
        command="scripts/bench evaluation --json",
        tables=(
            Table(
                head=("", "measured", "goal"),
                rows=(
                    ("comparisons", "comparisons", ""),
                    ("looks", "looks", ""),
                    ("promoted though worse by the margin", "false_promotions", "≤ 5 %"),
                    ("its upper bound, with 99 % confidence", "false_promotions_bound", "≤ 5.5 %"),
                    ("intervals at the end that cover the truth", "covered_at_end", "94 to 96 %"),
                    ("comparisons whose intervals cover it at every look", "covered_always", "94 to 96 %"),
                    ("equal candidates that were promoted (the power)", "power", ""),
                    ("items until then, or to the end, on average", "items", ""),
                    ("items of the unpaired test of that power", "items_unpaired", ""),
                    ("share", "items_share", "≤ 60 %"),
                    ("where the answers go together least (a third)", "items_share_least_alike", ""),
                    ("where they do most (a third)", "items_share_most_alike", ""),
                    *((f"margin {points} points", f"items_share_0.0{points}", "") for points in (3, 4, 5, 6)),
                    ("correlation of the two subjects' answers", "correlation", ""),
                    ("promoted though worse, if silent where wrong: missing answers left out", "silent_left_out", ""),
                    ("the same, missing answers at their worst", "silent_at_worst", "≤ 5 %"),
                ),
            ),
            Table(
                head=("what naive ways do", "measured", "known"),
                rows=(
                    ("5 % test of equals, 1,000 items, read every 50", "peeked_every_50", "27 %"),
                    ("every 100", "peeked_every_100", "21 %"),
                    ("every 250", "peeked_every_250", "14 %"),
                    ("at the end only", "peeked_never", "5 %"),
                    ("asymptotic confidence sequence (arXiv 2103.06476), read at every item from 30 on", "mixture", "1.9 %"),
                    ("the sequence used here, read at every item, planned for 1,000", "sequence", "≤ 5 %"),
                    ("95 % interval of Wald covers, of 20 at a rate of 0.90", "wald_20_0.9", "88 %"),
                    ("of 20 at 0.95", "wald_20_0.95", "64 %"),
                    ("of 20 at 0.98", "wald_20_0.98", "33 %"),
                    ("of 100 at 0.95", "wald_100_0.95", "88 %"),
                    ("of 100 at 0.98", "wald_100_0.98", "87 %"),
                    ("Wilson's, of 20 at 0.90", "wilson_20_0.9", "96 %"),
                    ("of 20 at 0.95", "wilson_20_0.95", "93 %"),
                    ("of 20 at 0.98", "wilson_20_0.98", "94 %"),
                ),
            ),
        ),
    ),
    "certificates": Proof(
        claim="At least 95 of 100 certificates keep what they promise.",
        how="On outcomes that others recorded (RouterBench, RouteLLM, RouterDC, Berkeley function calling, mixtures of "
        "thoughts), for the best model of each table and the one in the middle. Questions are split anew for each "
        "certificate (`resplits`), or drawn from a table that is taken for all there is (`draws`, of the best models); "
        "the module's head says more. The promise is of the whole procedure: one that ends without a certificate breaks "
        "none, and where few are issued, more of those may be wrong; so the share of those that were issued is told. Resplits leave too few questions for a proof of 1 % of the accepted. `naive` takes the "
        "loosest threshold that looks good enough on the same questions.",
        command="scripts/bench certificates --json",
        tables=(_certificates("resplits"), _certificates("draws")),
    ),
    "releases": Proof(
        claim="A canary that does harm is stopped, one that does none is left alone.",
        how="Simulated releases through the gateway's own decision and the bounds that stop a canary; only models and people "
        "are simulated. A harmful one fails, is judged wrong, or is slow more often than its margin allows; a harmless one "
        "does as well, slightly better, or worse by half the margin. The bounds are read every 100 calls, up to 20,000.",
        command="scripts/bench releases --json",
        tables=(
            Table(
                head=("", "measured", "goal"),
                rows=(
                    ("harmful releases", "harmful", ""),
                    ("of them stopped", "harmful_stopped", "≥ 95 of 100"),
                    ("harmless releases", "harmless", ""),
                    ("of them stopped", "false_rollbacks", "≤ 5 of 100"),
                    ("harmless ones that were shown to be no worse", "harmless_proven", ""),
                    ("harmful ones that were", "harmful_called_proven", ""),
                ),
            ),
        ),
    ),
    "verdict": Proof(
        claim="A verdict follows from its evidence again, to the byte, in under 2 seconds.",
        how="Evidence of 10,000 items, three candidates and a baseline is decided in new processes; their time includes the "
        "start of Python, every import, the flip points and the card.",
        command="scripts/bench verdict --json",
        tables=(
            Table(
                head=("", "measured", "goal"),
                rows=(
                    ("items", "items", ""),
                    ("megabytes of evidence", "evidence_mb", ""),
                    ("processes", "rounds", ""),
                    ("different cards among them", "different_cards", "1"),
                    ("milliseconds, median", "median_ms", "< 2,000"),
                    ("at most", "slowest_ms", ""),
                ),
            ),
        ),
    ),
    "prices": Proof(
        claim="Every usage costs what its price says, to the last digit.",
        how="Made-up usages under made-up prices with bands, services, caches by lifetime, reasoning, sound and pictures, against "
        "an oracle that shares no code with what it checks: integers, and the rules written down a second time.",
        command="scripts/bench prices --json",
        tables=(
            Table(
                head=("", "measured", "goal"),
                rows=(
                    ("usages", "usages", ""),
                    ("prices", "prices", ""),
                    ("that differ from the oracle", "differing", "0"),
                    ("priced a second", "per_s", "≥ 200,000"),
                ),
            ),
        ),
    ),
    "breakeven": Proof(
        claim="Every crossing of stepped own cost and a straight API price is found, and soon.",
        how="Made-up structures of one to three kinds of machines. That none is missed is shown by the tests, against brute force.",
        command="scripts/bench breakeven --json",
        tables=(
            Table(
                head=("", "crossings", "region under the ranges"),
                rows=(
                    ("structures", "structures", "structures"),
                    ("known for every volume", "crossings_whole", "region_whole"),
                    ("found", "crossings_found", "region_found"),
                    ("microseconds, median", "crossings_median_us", "region_median_us"),
                    ("at most (goal: 50,000)", "crossings_worst_us", "region_worst_us"),
                ),
            ),
        ),
    ),
    "corpus": Proof(
        claim="Between the rates that were measured, throughput is predicted.",
        how="140 published runs (pChitral/vllm-cost-meter): each configuration is fitted on 1, 5, 10 and 100 requests a second.",
        command="scripts/bench corpus --json",
        tables=(
            Table(
                head=("", "25 requests a second", "50"),
                rows=(
                    ("median error (goal: 10 %)", "median_25", "median_50"),
                    ("the worst", "worst_25", "worst_50"),
                    ("configurations", "configurations", "configurations"),
                ),
            ),
        ),
    ),
    "advise": Proof(
        claim="Advice is right where the numbers tell, says so where they do not, and breaks no gate.",
        how="Generated organisations. Their truth comes from a second model that shares no code with the advice: floating point, "
        "every placement, points all over the ranges. Outside of the indifference band the answer has to be the best; inside it may be either. "
        "Flips are held against scanning and halving on the second model.",
        command="scripts/bench advise --json",
        tables=(
            Table(
                head=("", "measured", "goal"),
                rows=(
                    ("organisations", "organisations", ""),
                    ("numbers known, answers outside of the band", "known_outside_of_the_band", ""),
                    ("of them right", "known_outside_of_the_band_right", "≥ 99 %"),
                    ("only ranges known, truly clear", "ranged_clear", ""),
                    ("of them firm", "ranged_clear_right", ""),
                    ("truly ambiguous", "ranged_ambiguous", ""),
                    ("of them `not enough evidence`", "ranged_ambiguous_right", "≥ 95 %"),
                    ("no plan surely passes the gates", "ranged_no_plan_surely_passes", ""),
                    ("of them told so", "ranged_no_plan_surely_passes_right", ""),
                    ("firm answers", "ranged_firm", ""),
                    ("within the band of the best at the hidden truth", "ranged_firm_and_within_the_band_of_the_best_at_the_truth", ""),
                    ("gates broken", "GATES_BROKEN", "0"),
                    ("gates broken at the hidden truth", "GATES_BROKEN_AT_THE_TRUTH", "0"),
                    ("flips told", "flips", ""),
                    ("right on both sides", "flips_right_on_both_sides", ""),
                    ("worst difference from halving", "flips_worst", "0.1 %"),
                    ("milliseconds for advice, median", "median_ms", ""),
                ),
            ),
        ),
    ),
}  # fmt: skip

HEAD = """\
# Evidence

Written by `scripts/bench evidence` from what it measured (`evidence.json`, beside this page). Every claim has a command
that shows it again, with the same seed and the same figures; a goal that is missed ends that command with an error. Small
sizes of all of it run with the tests.

"""
PLANS = """\
## How many items a claim takes

The plans are exact formulas, and the tests hold them to these numbers. With 95 % confidence and a power of 80 %, to show
that an equal candidate is at most a margin worse:

| margin | 1 point | 2 | 3 | 5 |
|---|---:|---:|---:|---:|
| pairs, where the two differ on 10 % of the items | 6,183 | 1,546 | 687 | 248 |
| on 20 % | 12,366 | 3,092 | 1,374 | 495 |
| unpaired, each arm, both right on 80 % | 19,785 | 4,947 | 2,199 | 792 |

Accepted answers that certify, with 95 % confidence, that at most so many are wrong:

| | 1 % | 2 % | 5 % | 10 % |
|---|---:|---:|---:|---:|
| none was wrong | 299 | 149 | 59 | 29 |
| one was | 473 | 236 | 93 | 46 |
| three were | 773 | 386 | 153 | 76 |

## What is not shown

- **Your data.** The comparisons are simulated. Order matters: items must be asked in an order that has nothing to do with
  them, and what is in no cluster must be independent.
- **Bounds of differences are asymptotic.** They rest on the normal distribution, with allowances for few clusters and for
  rare losses; the tests try the worst cases known. Shares and certificates are exact.
- **A changed world.** A certificate speaks of messages like those it was proven on.
"""


def page(figures: Mapping[str, Any]) -> str:
    """Write the page."""
    measured = f"Measured {figures['date']} with {figures['versions']}.\n\n"
    return HEAD + measured + "".join(_part(name, figures["runs"].get(name)) for name in PROOFS) + PLANS


def _part(name: str, run: Mapping[str, Any] | None) -> str:
    proof = PROOFS[name]
    lines = f"## {proof.claim}\n\n{proof.how}\n\n"
    if run is None:
        return lines + "Not run for this page.\n\n"
    verdict = "held" if run["held"] else "**MISSED** " + ", ".join(run["measured"].get("missed", ()))
    lines += f"`{run['command']}`: {verdict}. Seed {run['measured'].get('seed', 'none')}.\n\n"
    return lines + "".join(_table(table, run["measured"]) for table in proof.tables)


def _table(table: Table, measured: Mapping[str, Any]) -> str:
    told = [[first, *(_cell(word, measured) for word in rest)] for first, *rest in table.rows]
    rule = "|---|" + "---:|" * (len(table.head) - 1)
    return "\n".join(["| " + " | ".join(row) + " |" for row in (table.head,)] + [rule] + [
        "| " + " | ".join(row) + " |" for row in told
    ]) + "\n\n"  # fmt: skip


def _cell(word: str, measured: Mapping[str, Any]) -> str:
    value = measured.get(word, word) if word else ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value > 1 else f"{value:.2f}" if "correlation" in word else f"{100 * value:.1f} %"
    return str(value)


def stored() -> dict[str, Any]:
    """Return the figures that lie beside the page."""
    found: dict[str, Any] = msgspec.json.decode(FIGURES.read_bytes())
    return found


if __name__ == "__main__":
    PAGE.write_text(page(stored()), encoding="utf-8")
