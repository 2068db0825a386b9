"""What stands in a Markdown file? Fenced blocks, inline code, links and headings, each with its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
RUN = "<!-- run -->"


@dataclass(frozen=True)
class Block:
    """A fenced block. `run` where the line before it says that it is to be executed."""

    file: str
    line: int
    language: str
    text: str
    run: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Document:
    """One Markdown file; `file` is its path in the project."""

    file: str
    text: str

    @classmethod
    def read(cls, path: Path, root: Path) -> "Document":
        return cls(str(path.relative_to(root)), path.read_text(encoding="utf-8"))

    @cached_property
    def blocks(self) -> list[Block]:
        return list(self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for match in FENCE.finditer(self.text):
            before = self.text[: match.start()].rstrip("\n").rpartition("\n")[2]
            text = "\n".join(line.removeprefix(match["indent"]) for line in match["text"].splitlines()) + "\n"
            yield Block(self.file, self._line(match.start()), match["language"], text, before.strip() == RUN)

    @cached_property
    def prose(self) -> str:
        """The text without its blocks, at the same offsets."""
        return FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), self.text)

    def inline_code(self) -> Iterator[tuple[int, str]]:
        yield from ((self._line(m.start()), m[1]) for m in re.finditer(r"`([^`\n]+)`", self.prose))

    def links(self) -> Iterator[tuple[int, str]]:
        yield from ((self._line(m.start()), m[1]) for m in re.finditer(r"\]\(([^()\s]+)\)", self.prose))

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The names by which a link reaches a heading, as forges make them."""
        headings = re.findall(r"^#+ +(.+?)\s*$", self.prose, re.MULTILINE)
        return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)

    def _line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1
