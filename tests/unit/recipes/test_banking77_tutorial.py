"""Does the tutorial start from honest splits, and from files that load?"""

import json
import subprocess
import sys
from pathlib import Path

from recipes.banking77.data import Message, Split, split
from recipes.banking77.tutorial import configuration, items, prompt

from tests.architecture.tree import ROOT
from tierwise import config
from tierwise.evals.data.read import read
from tierwise.evals.prompt import parse, render
from tierwise.registry.demonstration import demonstration

NUMBERS = range(2600)


def parts() -> Split:
    return split([Message(f"Message number {number}", f"label {number % 3}") for number in NUMBERS])


def test_what_shaped_the_shipped_models_is_for_training_and_the_rest_is_not() -> None:
    found = {row["message"]: row["split"] for row in map(json.loads, items(parts()))}
    assert len(found) == len(NUMBERS)
    told = parts()
    assert {found[row.text] for row in told.training + told.validation} == {"train"}
    assert {found[row.text] for row in told.fit} == {"tune"}
    assert {found[row.text] for row in told.report} == {"prove"}


def test_configuration_and_prompt_load() -> None:
    document = config.parse(configuration())
    assert [row.id for row in document.model] == ["small", "larger", "words"]
    (workflow,) = document.workflow
    assert set(workflow.candidates) | {workflow.baseline} == {"small", "words", "larger"}
    asked = parse(prompt().encode(), "prompt.toml")
    assert asked.schema is not None
    assert asked.schema["properties"]["intent"]["enum"] == list(demonstration().labels)


def test_the_folder_is_written_whole(tmp_path: Path) -> None:
    rows = "".join(f"Message number {number},card_arrival\n" for number in range(2100))
    (tmp_path / "train.csv").write_text("text,category\n" + rows)
    words = ["-m", "recipes.banking77.tutorial", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    dataset = read(tmp_path / "out" / "items.jsonl")
    body = render(parse((tmp_path / "out" / "prompt.toml").read_bytes(), "p"), dataset.items[0], "words")
    assert body["messages"] == [{"role": "user", "content": dataset.items[0].fields["message"]}]
