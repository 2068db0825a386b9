"""What should somebody know before trusting these models? The model card, written from measured figures.

Deliberately measures nothing and holds no figure of its own. Pure.
"""

from itertools import pairwise

from recipes.banking77 import data
from recipes.banking77.measure import HALVES, TARGET, Figures
from recipes.banking77.train import SETTINGS
from tierwise.evals.threshold import MARGIN_CONFIDENCE


def render(results: Figures, product: Figures) -> str:
    """Write the card in Markdown. RESULTS are all figures; PRODUCT is the content of banking77.json."""
    sections = (_what, _data, _accuracy, _calibration, _cascade, _margin, _off_topic, _own, _limits, _licence)
    return "\n\n".join(section(results, product).strip() for section in sections) + "\n"


def _pc(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def _share(figure: Figures) -> str:
    low, high = figure["interval"]
    return f"{_pc(figure['accuracy'])} ({100 * low:.1f} to {100 * high:.1f})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _what(results: Figures, product: Figures) -> str:
    rows = [
        [
            f"`{model['file']}`",
            f"{model['parameters']:,}",
            f"{model['bytes']:,}",
            f"{SETTINGS[name].layers} x {SETTINGS[name].width}",
            f"{results['models'][name]['0']['p50_ms']:.1f} / {results['models'][name]['0']['p95_ms']:.1f} ms",
        ]
        for name, model in product["models"].items()
    ]
    table = _table(["file", "parameters", "bytes (Q8_0)", "layers x width", "one answer, p50 / p95"], rows)
    return f"""# Banking77 demonstration models

<!-- Written by recipes/banking77/evaluate.py; every figure is measured by it. Do not edit by hand. -->

Two very small language models (Llama architecture) that name what a bank customer wants: one of
{len(product["labels"])} intents, as `{{"intent": "NAME"}}` bound to a JSON schema, with log-probabilities. They know
these {len(product["labels"])} intents and cannot chat. They were trained from scratch on one CPU core, from no other
model's weights. They exist to show routing between tiers on real messages, not as the best way to do this task.

{table}

Time: one answer in the embedded runtime, one thread, on the (shared) machine that ran the evaluation."""


def _data(results: Figures, product: Figures) -> str:
    parts = results["parts"]
    return f"""## Data and split

Banking77: {product["data"]["source"]}; {product["data"]["licence"]}; by PolyAI, {product["data"]["citation"]},
"Efficient Intent Detection with Dual Sentence Encoders". Only its training file was used; the official test part was
not, so these figures compare with nobody's published ones. Equal messages count once.

| part | messages | used for |
| --- | --- | --- |
| report | {parts["report"]:,} | the figures below, nothing else |
| fit | {parts["fit"]:,} | fitting thresholds again (one row below), nothing else |
| validation | {parts["validation"]:,} | choices, calibration, thresholds; a tenth of every intent |
| training | {parts["training"]:,} | tokenizer, teacher, weights |

*report* and *fit* are the messages with the smallest SHA-256 of their text (white space collapsed, lower-cased)."""


def _accuracy(results: Figures, product: Figures) -> str:
    rows = []
    for name, seeds in results["models"].items():
        label = f"{name}, {results['parameters'][name] / 1e6:.2f} M" + (
            "" if name in product["models"] else " (not shipped)"
        )
        mean = sum(figure["report"]["accuracy"] for figure in seeds.values()) / len(seeds)
        rows.append(
            [label, *(_share(figure["report"]) for figure in seeds.values()), *["-"] * (3 - len(seeds)), _pc(mean)]
        )
    rows.append(
        ["TF-IDF + logistic regression", _share(results["baseline"]), "-", "-", _pc(results["baseline"]["accuracy"])]
    )
    table = _table(["model", "seed 0 (shipped)", "seed 1", "seed 2", "mean"], rows)
    agree = results["tokens_agree"]
    return f"""## Accuracy on *report*

The Q8_0 files, served as the product serves them (schema, temperature 0), with 95 % Wilson intervals. Seed 0 is shipped
whatever it scored.

{table}

{_size(results)}
Take the pair as two tiers of a mechanism, not as a weak and a strong model. A classic classifier on the same split is
in the last row; where it is better, use it.

The recipe's tokenizer and the runtime's agree in length on {agree["agree"]:,} of {agree["n"]:,} messages."""


def _size(results: Figures) -> str:
    """Compare the means of neighbouring sizes."""
    means = {
        name: sum(figure["report"]["accuracy"] for figure in seeds.values()) / len(seeds)
        for name, seeds in results["models"].items()
    }
    steps = [
        f"from {results['parameters'][a] / 1e6:.2f} M to {results['parameters'][b] / 1e6:.2f} M parameters "
        f"{100 * (means[b] - means[a]):+.1f} points"
        for a, b in pairwise(means)
    ]
    spread = max(
        max(f["report"]["accuracy"] for f in seeds.values()) - min(f["report"]["accuracy"] for f in seeds.values())
        for seeds in results["models"].values()
    )
    return (
        f"**What size buys**, mean over the seeds: {'; '.join(steps)}.\n"
        f"Seeds of one size differ by up to {100 * spread:.1f} points, so beyond the middle size little is to be had."
    )


def _calibration(results: Figures, product: Figures) -> str:
    rows = []
    for name in product["models"]:
        for seed, figure in results["models"][name].items():
            rows.append(
                [name, seed, f"{figure['ece_before']:.3f}", f"{figure['ece_after']:.3f}", f"{figure['auroc']:.3f}"]
            )
    return f"""## Confidence

Confidence is the log-probability of the intent's token. A logistic with two parameters, fitted on *validation*, maps it
to the chance of being right. Expected calibration error (ten bins) and AUROC (right against wrong) on *report*:

{_table(["model", "seed", "ECE as it comes", "ECE after the fit", "AUROC"], rows)}"""


def _cascade_row(label: str, figure: Figures) -> list[str]:
    return [
        label,
        _pc(figure["kept_small"]),
        _pc(figure["kept_larger"]),
        _pc(figure["left"]),
        _share(figure["kept"]),
        _share(figure["kept_small_right"]),
        _pc(figure["cascade"]["accuracy"]),
        _pc(figure["random"]["accuracy"]),
    ]


def _cascade(results: Figures, product: Figures) -> str:
    rows = [_cascade_row(f"seed {seed}", figure) for seed, figure in results["cascade"].items()]
    rows.append(_cascade_row("seed 0, fitted on *fit*", results["refitted"]))
    rows += [_cascade_row(f"seed {seed}, plain scan", figure) for seed, figure in results["plain_scan"].items()]
    head = ["thresholds", "small keeps", "larger keeps", "left", "kept answers right"]
    head += ["small's kept right", "all rows", "random"]
    return f"""## Cascade on *report*, aimed at {_pc(TARGET, 0)} right

The small model keeps an answer from a threshold on; of the rest, the larger model keeps from its own on; what is left
is for a frontier model or a person. Thresholds come from *validation* unless the row says otherwise. "All rows" counts
a left row with the larger model's withheld answer; "random" passes on the same share blindly.

{_table(head, rows)}

{_verdict(results)}
The rule was fixed on *validation* before *report* was looked at and not changed afterwards.
The aim is an aim: on other traffic nothing is promised."""


def _verdict(results: Figures) -> str:
    kept = [figure["kept"] for figure in results["cascade"].values()]
    below = sum(figure["accuracy"] < TARGET for figure in kept)
    apart = sum(not figure["interval"][0] <= TARGET <= figure["interval"][1] for figure in kept)
    return (
        f"**Aimed at {_pc(TARGET, 0)}, measured {_pc(min(f['accuracy'] for f in kept))} to "
        f"{_pc(max(f['accuracy'] for f in kept))}**: {below} of {len(kept)} seeds came out below the aim, "
        f"and the interval of {apart} leaves it out."
    )


def _margin(results: Figures, _: Figures) -> str:
    rows = [
        [
            "plain scan" if not row["confidence"] else f"{row['confidence']:.1f}",
            _pc(row["kept"]),
            _pc(row["right"]),
            _pc(row["missed"], 0),
        ]
        for row in results["margins"]
    ]
    return f"""### Why the thresholds are fitted with a margin

A plain scan picks the luckiest pair of thresholds and over-promises. So a threshold counts as meeting the aim only if
the low end of its Wilson interval does, at confidence {MARGIN_CONFIDENCE}. That was chosen on *validation* alone (an
early run of this table): fitted on one random half, measured on the other, {HALVES} times a seed, three seeds. Halves
hold fewer messages than the whole, so they show more over-promise than is left in the end.

{_table(["margin confidence", "kept", "kept answers right", "halves below the aim"], rows)}"""


def _off_topic(results: Figures, _: Figures) -> str:
    figure = results["off_topic"]
    return f"""## Messages about something else

The models always name one of the intents. Of {figure["n"]} messages that have nothing to do with banking
(`recipes/banking77/offtopic.txt`), the small model would keep {_pc(figure["kept_small"])} at its threshold and the
larger one a further {_pc(figure["kept_larger"])}; the rest is left. A confidence threshold is no topic filter: send
them only messages of their task."""


def _own(results: Figures, _: Figures) -> str:
    own = results["own"]
    return f"""## The example messages in `messages.csv`

{own["small"]["n"]} messages written for this package, none from the data set: small {_share(own["small"])}, larger
{_share(own["larger"])}; of the kept ones {_share(own["cascade"]["kept"])} right, {_pc(own["cascade"]["left"])} left.
They were written from the intents' names and labelled without looking at answers, so they are other traffic than the
data set: the figures show what that does."""


def _limits(_: Figures, product: Figures) -> str:
    return f"""## Limits

- They know {len(product["labels"])} intents and cannot chat, follow instructions, use tools or read documents.
- Every message gets one of the intents, also a message that asks for two things, or for none.
- English, short messages to a retail bank. The context is {product["models"]["small"]["context_tokens"]} tokens, but
  nothing longer than a paragraph was ever seen in training.
- Only the last user message is read, lower-cased, white space collapsed; a system message is ignored.
- Not for decisions about people's money without a person who looks."""


def _licence(_: Figures, product: Figures) -> str:
    return f"""## Licence

The weights are released with this package under Apache-2.0. The data they were trained on is under {data.LICENCE}; no
message of it is contained in the package, and it is credited as above. Whether weights count as adapted material of
their training data is not settled everywhere, so keep the attribution when you pass the files on.

## Made by

`recipes/banking77/run`, seed {product["recipe"]["seed"]}."""
