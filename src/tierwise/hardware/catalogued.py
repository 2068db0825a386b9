"""What would a model weigh whose tensors nobody read? From its number of parameters, or from the size of its file.

Pure. Source of the bits: llama.cpp, tools/quantize/README.md, measured on Llama 3.1 8B (read 2026-11-21); a model of
another mixture differs by some hundredths, hence the margin. Invariant: what is not estimated from a file says so.
"""

from typing import Final

import msgspec

from tierwise.hardware.layers import Shape
from tierwise.hardware.plan import Candidate
from tierwise.hardware.weights import Block, Weights

BITS_PER_WEIGHT: Final = {
    "Q8_0": 8.5008, "Q6_K": 6.5633, "Q5_K_M": 5.7036, "Q4_K_M": 4.8944, "Q3_K_S": 3.6429, "Q2_K": 3.1593,
}  # fmt: skip
MARGIN: Final = 1.05


def candidates(
    shape: Shape | None, parameters: int, *, embedding: int, tied: bool | None, experts: int = 0
) -> tuple[Candidate, ...]:
    """Return each usual quantization of so many parameters.

    `embedding` of them translate tokens, and as many translate back unless `tied`; `experts` are in experts.
    """
    return tuple(
        Candidate(
            quantization=name,
            shape=shape,
            weights=_weights(shape, parameters, (embedding, bool(tied)), experts, bits * MARGIN / 8),
            parameters=parameters,
            evidence="catalogue",
        )
        for name, bits in BITS_PER_WEIGHT.items()
    )


def _weights(shape: Shape | None, parameters: int, table: tuple[int, bool], experts: int, each: float) -> Weights:
    blocks = len(shape.layers) + shape.unused_blocks if shape else 1
    into, tied = table
    out = 0 if tied else into
    inside = max(0, parameters - into - out)
    block = Block(total_bytes=int(inside * each / blocks), expert_bytes=int(min(experts, inside) * each / blocks))
    return Weights(
        input_bytes=int(into * each),
        output_bytes=int(out * each),
        blocks=(block,) * blocks,
        other_bytes=max(0, int(inside * each) - block.total_bytes * blocks),
        tied_bytes=int(into * each),
    )


def scaled(weights: Weights, total_bytes: int) -> Weights:
    """Return weights of another quantization of the same model: laid out alike, of so many bytes in all."""
    each = total_bytes / max(1, weights.total_bytes)
    blocks = tuple(
        Block(total_bytes=int(one.total_bytes * each), expert_bytes=int(one.expert_bytes * each))
        for one in weights.blocks
    )
    into, out = int(weights.input_bytes * each), int(weights.output_bytes * each)
    rest = total_bytes - into - out - sum(one.total_bytes for one in blocks)
    return msgspec.structs.replace(
        weights, input_bytes=into, output_bytes=out, blocks=blocks, other_bytes=max(0, rest),
        tied_bytes=int(weights.tied_bytes * each),
    )  # fmt: skip


def spread(shape: Shape | None, total_bytes: int) -> Weights:
    """Return weights of which only the sum is known, the same for each layer."""
    blocks = len(shape.layers) + shape.unused_blocks if shape else 1
    block = Block(total_bytes=total_bytes // blocks)
    rest = total_bytes - block.total_bytes * blocks
    return Weights(blocks=(block,) * blocks, other_bytes=rest)
