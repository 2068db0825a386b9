"""What are the weights? Trains one model for one seed, by step count, and can be stopped and started at will.

Deliberately knows nothing about files for serving (convert) or about how good the result is (evaluate).
Invariant: weights follow from code, data, setting and seed. The batch of a step follows from (seed, step) alone,
a checkpoint holds weights, optimiser and generator state, so a resumed run ends with the same weights.
"""

import argparse
import io
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from recipes.banking77 import data, tokenizer
from recipes.banking77.augment import distort
from recipes.banking77.data import Message, write_atomically
from recipes.banking77.model import Llama, Shape
from recipes.banking77.teacher import Teacher
from recipes.banking77.tokenizer import CLOSE, END, OPEN, PAD, Tokenizer

WORK = data.ROOT / "work" / "banking77"
BATCH = 64
WARM_UP = 100
CHECKPOINT_EVERY = 200  # steps
BPE_DROPOUT = 0.1
SMOOTHING = 0.1
CONSTANT_PARTS = 0.1  # weight of the answer's fixed tokens in the loss
ANSWER = 4  # tokens: opening, intent, closing, end


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Everything that shapes one model, its seed aside. `taught`: weight of the teacher's opinion in the loss."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    steps: int
    rate: float
    embedding_dropout: float
    residual_dropout: float
    language: float
    taught: float

    def shape(self, vocabulary: int) -> Shape:
        """Sizes for a vocabulary."""
        return Shape(
            vocabulary=vocabulary,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads,
            feed_forward=self.feed_forward,
        )


# "middle" is not shipped: it shows what size buys.
SETTINGS = {
    "small": Setting(
        width=64,
        layers=1,
        heads=2,
        kv_heads=2,
        feed_forward=128,
        steps=3000,
        rate=4e-3,
        embedding_dropout=0.05,
        residual_dropout=0.0,
        language=0.1,
        taught=0.6,
    ),
    "middle": Setting(
        width=128,
        layers=2,
        heads=4,
        kv_heads=2,
        feed_forward=256,
        steps=2000,
        rate=3e-3,
        embedding_dropout=0.1,
        residual_dropout=0.05,
        language=0.1,
        taught=0.6,
    ),
    "larger": Setting(
        width=192,
        layers=2,
        heads=6,
        kv_heads=3,
        feed_forward=384,
        steps=2000,
        rate=2.5e-3,
        embedding_dropout=0.1,
        residual_dropout=0.05,
        language=0.1,
        taught=0.6,
    ),
}


@dataclass(frozen=True)
class Batch:
    """Token numbers, right-padded; where each answer begins; which intent is right; the texts and their rows."""

    tokens: Tensor
    answer_at: Tensor
    truth: Tensor
    texts: list[str]
    rows: list[int]


class Batches:
    """The batch of any step, from (seed, step) alone: messages of similar length, distorted anew in every epoch."""

    def __init__(self, rows: Sequence[Message], words: Tokenizer, seed: int) -> None:
        self.rows, self.words, self.seed = rows, words, seed
        self.per_epoch = math.ceil(len(rows) / BATCH)
        self.mates: dict[str, list[str]] = {}
        for row in rows:
            self.mates.setdefault(row.label, []).append(row.text)
        self._epoch, self._batches = -1, list[Batch]()

    def at(self, step: int) -> Batch:
        """Give the batch of STEP."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._make(random.Random(f"{self.seed} {epoch}"))
        return self._batches[place]

    def _make(self, chance: random.Random) -> list[Batch]:
        texts = [distort(row.text, self.mates[row.label], chance) for row in self.rows]
        prompts = [self.words.encode(text, BPE_DROPOUT, chance) for text in texts]
        order = sorted(range(len(prompts)), key=lambda n: len(prompts[n]) + chance.uniform(-2, 2))
        groups = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
        chance.shuffle(groups)
        return [
            pack(
                self.words,
                [prompts[n] for n in group],
                [self.rows[n].label for n in group],
                [texts[n] for n in group],
                group,
            )
            for group in groups
        ]


def pack(words: Tokenizer, prompts: list[list[int]], labels: list[str], texts: list[str], rows: list[int]) -> Batch:
    """Put each prompt and its answer in one row."""
    tokens = torch.full((len(prompts), max(map(len, prompts)) + ANSWER), words.number[PAD])
    for n, (prompt, label) in enumerate(zip(prompts, labels, strict=True)):
        answer = [words.number[OPEN], words.number[label], words.number[CLOSE], words.number[END]]
        tokens[n, : len(prompt) + ANSWER] = torch.tensor(prompt + answer)
    answer_at = torch.tensor([len(prompt) for prompt in prompts])
    return Batch(tokens, answer_at, torch.tensor([words.labels.index(label) for label in labels]), texts, rows)


def loss(model: Llama, batch: Batch, words: Tokenizer, setting: Setting, opinion: Tensor | None) -> Tensor:
    """Weigh the intent, the answer's fixed tokens and the next word of the message."""
    hidden = model(batch.tokens)
    at_intent = model.scores(hidden[torch.arange(len(batch.rows)), batch.answer_at])
    wanted = torch.tensor(words.label_numbers)
    intents = at_intent[:, wanted].log_softmax(-1)
    hard = F.cross_entropy(at_intent, wanted[batch.truth])
    if opinion is None:  # smoothing spreads over the intents only, never over other tokens
        answer = (1 - SMOOTHING) * hard - SMOOTHING * intents.mean()
    else:
        answer = (1 - setting.taught) * hard - setting.taught * (opinion * intents).sum(-1).mean()
    place = torch.arange(batch.tokens.shape[1] - 1)[None] - batch.answer_at[:, None]
    fixed = (place == -1) | (place == 1) | (place == 2)

    def following(mask: Tensor) -> Tensor:
        return F.cross_entropy(model.scores(hidden[:, :-1][mask]), batch.tokens[:, 1:][mask])

    return answer + CONSTANT_PARTS * following(fixed) + setting.language * following(place < -1)


def rate_at(step: int, setting: Setting) -> float:
    """Warm up, then follow a cosine down to two per cent of the peak."""
    wave = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / setting.steps))
    return setting.rate * min(1.0, (step + 1) / WARM_UP) * wave


def prepare() -> None:
    """Make torch's arithmetic repeatable: one thread, deterministic kernels only."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


class Run:
    """One training run. `file` holds its state between steps; the finished run is the same file at the last step."""

    def __init__(
        self,
        setting: Setting,
        rows: Sequence[Message],
        words: Tokenizer,
        *,
        seed: int,
        file: Path,
        teacher: Teacher | None = None,
    ) -> None:
        self.setting, self.words, self.file, self.teacher = setting, words, file, teacher
        torch.manual_seed(seed)
        self.batches = Batches(rows, words, seed)
        self.model = Llama(setting.shape(len(words.tokens)), setting.embedding_dropout, setting.residual_dropout)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in self.model.parameters() if p.ndim > 1], "weight_decay": 0.05},
                {"params": [p for p in self.model.parameters() if p.ndim == 1], "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )
        self.step = 0
        if file.exists():
            self._restore()

    def advance(self, until: int | None = None) -> None:
        """Train to step UNTIL (default: the last one), writing a checkpoint now and then and at the end."""
        last = self.setting.steps if until is None else min(until, self.setting.steps)
        progress = Progress(self.file.stem, self.step, last)
        self.model.train()
        while self.step < last:
            value = self._one()
            self.step += 1
            progress.show(self.step, value)
            if self.step % CHECKPOINT_EVERY == 0 or self.step == last:
                self._store()

    def _one(self) -> float:
        batch = self.batches.at(self.step)
        opinion = self.teacher(batch.texts, batch.rows) if self.teacher else None
        value = loss(self.model, batch, self.words, self.setting, opinion)
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.step, self.setting)
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return value.item()

    def _store(self) -> None:
        state = io.BytesIO()
        torch.save(
            {
                "step": self.step,
                "setting": repr(self.setting),
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "generator": torch.get_rng_state(),
            },
            state,
        )
        write_atomically(self.file, state.getvalue())

    def _restore(self) -> None:
        state = torch.load(self.file, weights_only=True)
        if state["setting"] != repr(self.setting):
            raise SystemExit(f"{self.file} belongs to another setting: move it away or choose another --work")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["generator"])
        self.step = state["step"]


class Progress:
    """A bar on a terminal, one line per tenth elsewhere."""

    def __init__(self, name: str, first: int, last: int) -> None:
        self.name, self.first, self.last, self.started_s = name, first, last, time.monotonic()
        self.live = sys.stderr.isatty()

    def show(self, step: int, value: float) -> None:
        """Say how far STEP is and how long the rest takes."""
        tenth = max(1, self.last // 10)
        if step % (5 if self.live else tenth) and step != self.last:
            return
        left_s = (time.monotonic() - self.started_s) / (step - self.first) * (self.last - step)
        bar = "#" * (20 * step // self.last)
        text = f"{self.name:>10} [{bar:<20}] step {step}/{self.last}, loss {value:.3f}, {left_s:.0f} s left"
        print(text, end="\r" if self.live and step != self.last else "\n", file=sys.stderr, flush=True)


@torch.inference_mode()
def accuracy(model: Llama, words: Tokenizer, rows: Sequence[Message]) -> float:
    """Share of ROWS whose most probable intent is right, in torch: a check while training, no reported figure."""
    model.eval()
    right = 0
    for at in range(0, len(rows), BATCH):
        some = list(rows[at : at + BATCH])
        batch = pack(words, [words.encode(row.text) for row in some], [row.label for row in some], [], [])
        hidden = model(batch.tokens)[torch.arange(len(some)), batch.answer_at]
        best = model.scores(hidden)[:, words.label_numbers].argmax(-1)
        right += int((best == batch.truth).sum())
    return right / len(rows)


def words_for(parts: data.Split, work: Path) -> Tokenizer:
    """Train the tokenizer on the training part, once per work folder."""
    file = work / "tokenizer.json"
    if not file.exists():
        tokenizer.train((row.text for row in parts.training), data.labels(parts.training)).save(file)
    return Tokenizer.load(file)


def main() -> None:
    """Train models from scratch; a run that was stopped goes on where it was."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=data.DEFAULT_DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", choices=[*SETTINGS], nargs="+", default=[*SETTINGS])
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="change a setting, for trials")
    args = parser.parse_args()
    prepare()
    parts = data.split(data.read(args.data))
    words = words_for(parts, args.work)
    changes = dict(change.split("=") for change in args.set)
    for name in args.model:
        setting = replace(
            SETTINGS[name], **{key: float(v) if "." in v or "e" in v else int(v) for key, v in changes.items()}
        )
        teacher = None
        for seed in args.seed:
            file = args.work / f"{name}-{seed}.pt"
            if setting.taught and teacher is None:
                teacher = Teacher(parts.training, words.labels)
                print(f"teacher: {teacher.accuracy:.4f} out of fold, sharpness {teacher.sharpness}", file=sys.stderr)
            run = Run(setting, parts.training, words, seed=seed, file=file, teacher=teacher)
            run.advance()
            right = accuracy(run.model, words, parts.validation)
            print(f"{name}-{seed}: {run.model.count()} parameters, validation {right:.4f}", file=sys.stderr)


if __name__ == "__main__":
    main()
