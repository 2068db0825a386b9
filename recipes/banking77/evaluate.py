"""How good are the shipped files, and what does the product need to know about them?

Asks every converted model exactly as it is served, measures, copies seed 0 (whatever it scored) into the package
and writes `results.json`, `banking77.json` and `MODEL_CARD.md`. Invariant: no figure comes from anywhere else.
"""

import argparse
import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from recipes.banking77 import card, data, measure
from recipes.banking77.data import Message, write_atomically
from recipes.banking77.measure import TARGET, Figures, Judged
from recipes.banking77.model import Llama
from recipes.banking77.serve import CONTEXT_TOKENS, Answer, ask_all
from recipes.banking77.teacher import baseline
from recipes.banking77.tokenizer import Tokenizer
from recipes.banking77.train import SETTINGS, WORK
from tierwise.evals.threshold import fit_thresholds

SHIPPED = data.ROOT / "src" / "tierwise" / "registry" / "shipped" / "banking77"
OFF_TOPIC = Path(__file__).with_name("offtopic.txt")
SEEDS = (0, 1, 2)
SHIPPED_SEED = 0
PAIR = ("small", "larger")
Asked = dict[str, list[Answer]]


def ask(work: Path, words: Tokenizer, texts: dict[str, list[str]]) -> dict[str, dict[int, Asked]]:
    """Ask every converted model about every text."""
    answers: dict[str, dict[int, Asked]] = {}
    for name in SETTINGS:
        for seed in SEEDS:
            file = work / f"{name}-{seed}.gguf"
            if not file.exists() and name not in PAIR:
                continue
            print(f"asking {file.name}", file=sys.stderr, flush=True)
            answers.setdefault(name, {})[seed] = ask_all(file, words.labels, texts)
    return answers


def figures(parts: data.Split, own: list[Message], words: Tokenizer, answers: dict[str, dict[int, Asked]]) -> Figures:
    """Measure everything that the card states."""
    rows = {"validation": parts.validation, "fit": parts.fit, "report": parts.report, "own": own}

    def judged(name: str, seed: int, part: str) -> Judged:
        return Judged(answers[name][seed][part], rows[part])

    def pairs(seed: int, part: str) -> list[Any]:
        return measure.pairs(judged("small", seed, part), judged("larger", seed, part))

    fitted = {seed: fit_thresholds(pairs(seed, "validation"), TARGET) for seed in SEEDS}
    plain = {seed: fit_thresholds(pairs(seed, "validation"), TARGET, measure.PLAIN_SCAN) for seed in SEEDS}
    refitted = fit_thresholds(pairs(SHIPPED_SEED, "fit"), TARGET)
    asked = answers["small"][SHIPPED_SEED]
    counted = [
        answer.prompt_tokens == len(words.encode(row.text))
        for part in rows
        for answer, row in zip(asked[part], rows[part], strict=True)
    ]
    print("fitting the baseline", file=sys.stderr, flush=True)
    classic = baseline(parts.training).predict([row.text for row in parts.report])
    return {
        "parts": {part: len(some) for part, some in parts._asdict().items()},
        "models": {
            name: {
                str(seed): measure.model_figures(judged(name, seed, "validation"), judged(name, seed, "report"))
                for seed in seeds
            }
            for name, seeds in answers.items()
        },
        "parameters": {name: Llama(SETTINGS[name].shape(len(words.tokens))).count() for name in answers},
        "cascade": {str(seed): measure.cascade_figures(pairs(seed, "report"), fitted[seed]) for seed in SEEDS},
        "plain_scan": {str(seed): measure.cascade_figures(pairs(seed, "report"), plain[seed]) for seed in SEEDS},
        "refitted": measure.cascade_figures(pairs(SHIPPED_SEED, "report"), refitted),
        "margins": measure.margin_study([pairs(seed, "validation") for seed in SEEDS]),
        "baseline": msgspec.to_builtins(
            measure.share(sum(a == row.label for a, row in zip(classic, parts.report, strict=True)), len(parts.report))
        ),
        "off_topic": measure.off_topic_figures(
            asked["off_topic"], answers["larger"][SHIPPED_SEED]["off_topic"], fitted[SHIPPED_SEED]
        ),
        "own": {name: judged(name, SHIPPED_SEED, "own").accuracy() for name in PAIR}
        | {"cascade": measure.cascade_figures(pairs(SHIPPED_SEED, "own"), fitted[SHIPPED_SEED])},
        "calibration": {
            name: msgspec.to_builtins(judged(name, SHIPPED_SEED, "validation").calibration()) for name in PAIR
        },
        "tokens_agree": {"n": len(counted), "agree": sum(counted)},
    }


def product_file(words: Tokenizer, results: Figures, shipped: Path) -> Figures:
    """What `tierwise.registry.demonstration` reads."""
    cascade = results["cascade"][str(SHIPPED_SEED)]

    def model(name: str) -> Figures:
        content = (shipped / f"{name}.gguf").read_bytes()
        return {
            "file": f"{name}.gguf",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "parameters": results["parameters"][name],
            "context_tokens": CONTEXT_TOKENS,
            "threshold_logprob": cascade["thresholds"][name],
            "calibration": results["calibration"][name],
        }

    return {
        "task": "banking77",
        "labels": words.labels,
        "target": TARGET,
        "models": {name: model(name) for name in PAIR},
        "fitted_on": {"part": "validation", "n": results["parts"]["validation"]},
        "data": {"source": data.SOURCE, "licence": data.LICENCE, "citation": data.CITATION},
        "recipe": {
            "path": "recipes/banking77",
            "seed": SHIPPED_SEED,
            "steps": {name: SETTINGS[name].steps for name in PAIR},
        },
        "measured": {
            "part": "report",
            "n": results["parts"]["report"],
            **{name: results["models"][name][str(SHIPPED_SEED)] for name in PAIR},
            "cascade": cascade,
            "off_topic": results["off_topic"],
        },
    }


def main() -> None:
    """Measure the converted models, ship seed 0 and write its card."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=data.DEFAULT_DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--shipped", type=Path, default=SHIPPED, help="where files for the package are written")
    args = parser.parse_args()
    parts = data.split(data.read(args.data))
    words = Tokenizer.load(args.work / "tokenizer.json")
    with (SHIPPED / "messages.csv").open(encoding="utf-8", newline="") as lines:
        own = [Message(row["text"], row["label"]) for row in csv.DictReader(lines)]
    texts = {part: [row.text for row in some] for part, some in (parts._asdict() | {"own": own}).items()}
    del texts["training"]
    texts["off_topic"] = OFF_TOPIC.read_text(encoding="utf-8").splitlines()
    results = figures(parts, own, words, ask(args.work, words, texts))
    args.shipped.mkdir(parents=True, exist_ok=True)
    for name in PAIR:
        write_atomically(args.shipped / f"{name}.gguf", (args.work / f"{name}-{SHIPPED_SEED}.gguf").read_bytes())
    product = product_file(words, results, args.shipped)
    write_atomically(args.work / "results.json", json.dumps(results, indent=1).encode())
    write_atomically(args.shipped / "banking77.json", (json.dumps(product, indent=1) + "\n").encode())
    write_atomically(args.shipped / "MODEL_CARD.md", card.render(results, product).encode())


if __name__ == "__main__":
    main()
