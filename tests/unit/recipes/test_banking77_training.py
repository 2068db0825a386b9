"""Does a stopped and resumed training run end with the weights of one that was never stopped?

Needs the recipe's own environment (torch); skipped where it is missing.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from recipes.banking77.data import Message

torch = pytest.importorskip("torch", reason="the recipe's environment: recipes/banking77/requirements.txt")
pytest.importorskip("sklearn")
pytest.importorskip("gguf")

ROWS = [
    Message(f"my {thing} {problem}, please help {n}", f"{thing}_{problem}".replace(" ", "_"))
    for thing in ("card", "phone", "transfer")
    for problem in ("is late", "was lost")
    for n in range(30)
]


def test_resumed_run_gives_the_same_file(tmp_path: Path) -> None:
    from recipes.banking77 import convert, tokenizer, train
    from recipes.banking77.teacher import Teacher

    train.prepare()
    labels = sorted({row.label for row in ROWS})
    words = tokenizer.train((row.text for row in ROWS), labels, size=300)
    tiny = replace(
        train.SETTINGS["small"], width=32, feed_forward=32, steps=8, embedding_dropout=0.2, residual_dropout=0.1
    )
    teacher = Teacher(ROWS, labels)

    def run(name: str) -> train.Run:
        return train.Run(tiny, ROWS, words, seed=5, file=tmp_path / f"{name}.pt", teacher=teacher)

    whole = run("whole")
    whole.advance()
    run("parts").advance(until=3)
    torch.rand(7)  # whatever else happened to the generator in between
    resumed = run("parts")
    assert resumed.step == 3
    resumed.advance()
    assert resumed.step == whole.step == 8
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert not torch.equal(
        whole.model.token_embd.weight,
        train.Run(tiny, ROWS, words, seed=5, file=tmp_path / "new.pt").model.token_embd.weight,
    )
    files = [tmp_path / "whole.gguf", tmp_path / "parts.gguf"]
    for file in files:
        convert.write(file.with_suffix(".pt"), words, tiny, "small", file)
    assert files[0].read_bytes() == files[1].read_bytes()
