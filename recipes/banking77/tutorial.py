"""What does the tutorial start from? Writes a folder with items, prompt and configuration from a copy of Banking77.

The splits are those of the recipe: what trained or steered the shipped models is `train`, *fit* is `tune` and *report*
is `prove`, so that nobody is asked what it has learned from.
"""

import argparse
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

from recipes.banking77.data import DEFAULT_DATA, Split, read, split, write_atomically
from tierwise.registry.demonstration import demonstration, intent_schema

SPLITS = {"training": "train", "validation": "train", "fit": "tune", "report": "prove"}
CONFIG = """\
# Two language models and one that is none, on one task: docs/tutorial.md
{engines}
[[endpoint]]
name = "words"
kind = "classifier"
file = "intents.safetensors"

[[model]]
id = "words"
endpoint = "words"

[[workflow]]
name = "banking77"
candidates = ["words", "small"]
baseline = "larger"
strategy = "cascade"
on_gate_failure = "review"  # with a certificate in force, answers that are not kept wait for a person
data = "items.jsonl"
prompt = "prompt.toml"
scorer = "json:intent"

[workflow.criteria]
margin = 0.02
max_wrong = 0.05
error_cost_usd = 0.10
volume_per_month = 100_000
"""
ENGINE = """
[[endpoint]]
name = "{name}"
kind = "embedded"
file = {file}
context_tokens = {context}
threads = 1

[[model]]
id = "{name}"
endpoint = "{name}"
context_tokens = {context}
"""


def items(parts: Split) -> Iterator[str]:
    """Give each message as a line of a data set."""
    for part, name in SPLITS.items():
        for row in getattr(parts, part):
            yield json.dumps({"message": row.text, "label": row.label, "split": name}, ensure_ascii=False) + "\n"


def prompt() -> str:
    """Return the prompt: the message alone, and the schema that the models answer to."""
    labels = json.dumps(intent_schema(demonstration().labels)["properties"]["intent"]["enum"])
    return (
        'user = "{{message}}"\nmax_output_tokens = 16\ntemperature = 0.0\n\n[schema]\ntype = "object"\n'
        f'required = ["intent"]\nadditionalProperties = false\n\n[schema.properties.intent]\nenum = {labels}\n'
    )


def configuration() -> str:
    """Return the configuration, with the shipped models where they lie."""
    shipped = demonstration()
    engines = "".join(
        ENGINE.format(name=name, file=json.dumps(str(shipped.path(name))), context=model.context_tokens)
        for name, model in shipped.models.items()
    )
    return CONFIG.format(engines=engines)


def main() -> None:
    """Write items.jsonl, prompt.toml and tierwise.toml into a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="the folder with Banking77's train.csv")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    written = {
        "items.jsonl": "".join(items(split(read(args.data)))),
        "prompt.toml": prompt(),
        "tierwise.toml": configuration(),
    }
    for name, text in written.items():
        if name.endswith(".toml"):
            tomllib.loads(text)
        write_atomically(args.out / name, text.encode())
        print(args.out / name)


if __name__ == "__main__":
    main()
