"""How does a sequence of tokens become a distribution over the next one? A plain Llama, in the layout of GGUF.

Deliberately knows nothing about training. Parameter names are the tensor names of a GGUF file of the `llama`
architecture, and rotary pairs are neighbours as llama.cpp has them, so converting is copying.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPSILON = 1e-5
ROPE_BASE = 10000.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes of one model. `context` is what the file declares, in tokens."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    context: int = 512

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


def rotation(shape: Shape, length: int) -> Tensor:
    """Complex factors that turn each neighbouring pair by position: [length, head_width / 2]."""
    step = ROPE_BASE ** (-torch.arange(0, shape.head_width, 2).float() / shape.head_width)
    angle = torch.outer(torch.arange(length).float(), step)
    return torch.polar(torch.ones_like(angle), angle)


def _rotate(x: Tensor, turn: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn).flatten(-2)


class Block(nn.Module):
    """Attention, then feed-forward, each behind a norm and added to the stream."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        kv = shape.kv_heads * shape.head_width
        self.attn_norm = nn.RMSNorm(shape.width, eps=NORM_EPSILON)
        self.attn_q = _linear(shape.width, shape.width)
        self.attn_k = _linear(shape.width, kv)
        self.attn_v = _linear(shape.width, kv)
        self.attn_output = _linear(shape.width, shape.width)
        self.ffn_norm = nn.RMSNorm(shape.width, eps=NORM_EPSILON)
        self.ffn_gate = _linear(shape.width, shape.feed_forward)
        self.ffn_up = _linear(shape.width, shape.feed_forward)
        self.ffn_down = _linear(shape.feed_forward, shape.width)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        x = x + F.dropout(self._attend(self.attn_norm(x), turn), self.dropout, self.training)
        y = self.ffn_norm(x)
        y = self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))
        return x + F.dropout(y, self.dropout, self.training)

    def _attend(self, x: Tensor, turn: Tensor) -> Tensor:
        def heads(y: Tensor) -> Tensor:
            return y.unflatten(-1, (-1, self.shape.head_width)).transpose(1, 2)

        query, key, value = heads(self.attn_q(x)), heads(self.attn_k(x)), heads(self.attn_v(x))
        shared = self.shape.heads // self.shape.kv_heads
        seen = F.scaled_dot_product_attention(
            _rotate(query, turn),
            _rotate(key, turn).repeat_interleave(shared, 1),
            value.repeat_interleave(shared, 1),
            is_causal=True,
        )
        return self.attn_output(seen.transpose(1, 2).flatten(-2))


class Llama(nn.Module):
    """Decoder with tied embeddings."""

    def __init__(self, shape: Shape, embedding_dropout: float = 0.0, residual_dropout: float = 0.0) -> None:
        super().__init__()
        self.shape, self.embedding_dropout, self.residual_dropout = shape, embedding_dropout, residual_dropout
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape, residual_dropout) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, eps=NORM_EPSILON)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn [batch, length] token numbers into hidden states; `scores` makes logits of those that matter."""
        turn = rotation(self.shape, tokens.shape[1])
        x = F.dropout(self.token_embd(tokens), self.embedding_dropout, self.training)
        for block in self.blk:
            x = block(x, turn)
        return F.dropout(self.output_norm(x), self.residual_dropout, self.training)

    def scores(self, hidden: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return F.linear(hidden, self.token_embd.weight)

    def count(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())
