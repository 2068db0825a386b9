"""Make a model folder for a real server: one Llama layer of random numbers over bytes. What it says means nothing; that
it is a model, with a tokenizer and a template of its own, is all that the wire needs. Runs where mlx is installed.
"""

import json
import sys
from pathlib import Path

import mlx.core as mx
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

END = "<|end|>"
SIZE, INNER, CONTEXT_TOKENS = 32, 64, 4096
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"


def make(folder: Path) -> None:
    """Write tokenizer, configuration and weights."""
    folder.mkdir(parents=True)
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), END]
    tokenizer = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": SIZE, "intermediate_size": INNER,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "vocab_size": len(tokens), "tie_word_embeddings": True,
        "max_position_embeddings": CONTEXT_TOKENS, "eos_token_id": tokens.index(END),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    mx.random.seed(1)
    weights = {f"{name}.weight": mx.random.normal(shape) for name, shape in shapes(len(tokens)).items()}
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})


def shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Name every array of the model with its shape."""
    attention = {f"self_attn.{name}_proj": (SIZE, SIZE) for name in "qkvo"}
    dense = {"mlp.gate_proj": (INNER, SIZE), "mlp.up_proj": (INNER, SIZE), "mlp.down_proj": (SIZE, INNER)}
    norms = {"input_layernorm": (SIZE,), "post_attention_layernorm": (SIZE,)}
    layer = {f"model.layers.0.{name}": shape for name, shape in (attention | dense | norms).items()}
    return layer | {"model.embed_tokens": (vocabulary, SIZE), "model.norm": (SIZE,)}


if __name__ == "__main__":
    make(Path(sys.argv[1]))
