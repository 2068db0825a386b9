"""Which numbers stand for a message? A byte-level BPE, trained here, as GPT-2's (which every GGUF runtime knows).

Deliberately knows nothing about tensors. Each intent and each constant part of the answer is one token, so
an answer takes four decoding steps and the intent token's log-probability is the answer's confidence.
Invariant: `encode` without dropout gives the runtime's own tokens (evaluate checks it on real messages).
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import regex

from recipes.banking77.data import write_atomically

OPEN, CLOSE = '{"intent": "', '"}'
UNKNOWN, START, END, PAD, ASK = "<unk>", "<s>", "<|end|>", "<pad>", "<|ask|>"
CONTROL = (UNKNOWN, START, END, PAD, ASK)
BASE_SIZE = 2048  # control tokens, bytes and merges; intents and constant parts come on top
# The template lower-cases and collapses white space: serving agrees with training without code in front of the runtime.
CHAT_TEMPLATE = (
    "{% set ns = namespace(text='') %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.text = m.content %}"
    "{% endif %}{% endfor %}<s> {{ ns.text.split() | join(' ') | lower }}<|ask|>"
)
_WORDS = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def _byte_letters() -> list[str]:
    """GPT-2's printable letter for each of the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = (chr(256 + n) for n in range(256))
    return [chr(byte) if byte in shown else next(hidden) for byte in range(256)]


def prompt_text(message: str) -> str:
    """What follows the start token: the message as the chat template writes it."""
    return " " + " ".join(message.split()).lower()


class Tokenizer:
    """Merges in order of rank, then the vocabulary that follows from them and from the intents."""

    def __init__(self, merges: Sequence[tuple[str, str]], labels: Sequence[str]) -> None:
        self.merges, self.labels = list(merges), list(labels)
        self.letters = _byte_letters()
        words = [*CONTROL, *self.letters, *(a + b for a, b in self.merges)]
        self.tokens = [*words, OPEN, CLOSE, *self.labels]
        self.number = {token: n for n, token in enumerate(self.tokens)}
        self.user_defined = range(len(words), len(self.tokens))
        self.label_numbers = [self.number[label] for label in self.labels]
        self._rank = {pair: n for n, pair in enumerate(self.merges)}
        self._known: dict[str, list[int]] = {}

    def encode(self, message: str, drop: float = 0.0, chance: random.Random | None = None) -> list[int]:
        """Encode a prompt, start and ask tokens included; with `drop` each merge is skipped with that probability."""
        numbers = [self.number[START]]
        for word in _WORDS.findall(prompt_text(message)):
            if drop and chance:
                numbers += self._merge(word, drop, chance)
            else:
                if word not in self._known:
                    self._known[word] = self._merge(word, 0.0, None)
                numbers += self._known[word]
        return [*numbers, self.number[ASK]]

    def _merge(self, word: str, drop: float, chance: random.Random | None) -> list[int]:
        parts = [self.letters[byte] for byte in word.encode()]
        while len(parts) > 1:
            ranked = [
                (self._rank[pair], at)
                for at, pair in enumerate(pairwise(parts))
                if pair in self._rank and not (chance and chance.random() < drop)
            ]
            if not ranked:
                break
            _, at = min(ranked)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [self.number[part] for part in parts]

    def save(self, path: Path) -> None:
        """Write merges and labels; the rest follows from them."""
        write_atomically(path, json.dumps({"merges": self.merges, "labels": self.labels}).encode())

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote."""
        stored = json.loads(path.read_text())
        return cls([(a, b) for a, b in stored["merges"]], stored["labels"])


def train(messages: Iterable[str], labels: Sequence[str], size: int = BASE_SIZE) -> Tokenizer:
    """Merge the most frequent neighbours (ties: the alphabetically first) until SIZE tokens are reached."""
    letters = _byte_letters()
    counts = Counter(word for message in messages for word in _WORDS.findall(prompt_text(message)))
    words = [[letters[byte] for byte in word.encode()] for word in counts]
    often = list(counts.values())
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[int]] = defaultdict(set)

    def book(n: int, sign: int) -> None:
        for pair in pairwise(words[n]):
            pairs[pair] += sign * often[n]
            where[pair].add(n)

    for n in range(len(words)):
        book(n, 1)
    merges: list[tuple[str, str]] = []
    while len(merges) < size - len(CONTROL) - len(letters):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        merges.append(best)
        for n in sorted(where[best]):
            book(n, -1)
            parts, at = words[n], 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = [parts[at] + parts[at + 1]]
                at += 1
            book(n, 1)
        del pairs[best]
    return Tokenizer(merges, labels)
