"""Where are the bytes of a model's weights: in which block, in its experts, in front of the blocks, behind them?

It knows the names of tensors in GGUF and in safetensors, neither file formats nor machines. Invariant: every byte is
counted once, whatever the names.
"""

import re
from typing import Final

import msgspec

MAX_BLOCKS: Final = 4096
_BLOCK: Final = re.compile(r"(?:^|\.)(?:blk|layers|h|blocks)\.(\d{1,4})\.")
_EXPERTS: Final = re.compile(r"_exps\.|_exps$|\.experts\.")
_LOOKED_UP: Final = re.compile(r"(?:^|[._])(?:token_embd|embed_tokens|embed_tokens_per_layer|wte)(?:\.|$)")
_OUTPUT: Final = re.compile(r"(?:^|\.)(?:output|lm_head|embed_out)\.(?:weight|bias|scale)")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The weights of one layer; `expert_bytes` of its `total_bytes` are experts of which a token uses only some."""

    total_bytes: int
    expert_bytes: int = 0


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by place. `output_bytes` 0: the input embedding serves as the output too, and is read for every token.

    `input_bytes` are tables of which a token reads one row; `tied_bytes` of them is the one that may serve as output.
    """

    input_bytes: int = 0
    output_bytes: int = 0
    blocks: tuple[Block, ...] = ()
    other_bytes: int = 0
    tied_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Return what a file with these weights holds."""
        return self.input_bytes + self.output_bytes + self.other_bytes + sum(block.total_bytes for block in self.blocks)

    @property
    def expert_bytes(self) -> int:
        """Return the bytes of all experts that only some tokens use."""
        return sum(block.expert_bytes for block in self.blocks)


class Sorter:
    """Sorts tensors into places as they are read."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[int]] = {}
        self._input = self._output = self._other = self._tied = 0

    def add(self, name: str, size_bytes: int) -> None:
        """Count one tensor."""
        if (block := _BLOCK.search(name)) and int(block[1]) < MAX_BLOCKS:
            parts = self._blocks.setdefault(int(block[1]), [0, 0])
            parts[0] += size_bytes
            parts[1] += size_bytes if _EXPERTS.search(name) else 0
        elif _LOOKED_UP.search(name):
            self._input += size_bytes
            self._tied += 0 if "per_layer" in name else size_bytes
        elif _OUTPUT.search(name):
            self._output += size_bytes
        else:
            self._other += size_bytes

    def sorted(self) -> Weights:
        """Return what was counted; blocks that no tensor named hold nothing."""
        count = max(self._blocks, default=-1) + 1
        held = (self._blocks.get(number, (0, 0)) for number in range(count))
        return Weights(
            input_bytes=self._input,
            output_bytes=self._output,
            blocks=tuple(Block(total_bytes=total, expert_bytes=experts) for total, experts in held),
            other_bytes=self._other,
            tied_bytes=self._tied,
        )
