"""Where are the bytes of a model's weights: in which block, in its experts, in front of the blocks, behind them?

It knows names of tensors, neither file formats nor machines. Invariant: every byte is counted once.
"""

import msgspec


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The weights of one layer; `expert_bytes` of its `total_bytes` are experts of which a token uses only some."""

    total_bytes: int
    expert_bytes: int = 0


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by place. `output_bytes` 0: the input embedding serves as the output too, and is read for every token."""

    input_bytes: int
    output_bytes: int
    blocks: tuple[Block, ...]
    other_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Return what a file with these weights holds."""
        return self.input_bytes + self.output_bytes + self.other_bytes + sum(block.total_bytes for block in self.blocks)
