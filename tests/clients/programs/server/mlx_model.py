"""Make the model of `known` as a folder that mlx-lm loads. Runs where mlx is installed: mlx_model.py FOLDER TOOL ARGUMENTS"""

import json
import sys
from pathlib import Path

import mlx.core as mx
from known import END, MARKED, MARKS, follows, said
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

SPECIAL = ("<unk>", END, *MARKS)
SIZE, CONTEXT_TOKENS = 16, 1_000_000
SURE = 100.0


def make(folder: Path, tool: str, arguments: str) -> None:
    """Write tokenizer, configuration and weights; a token is a word, all that are not said are one."""
    tokens = (*SPECIAL, *said(tool, arguments))
    place = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocab=place, unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "unk_token": SPECIAL[0],
        "tool_parser_type": "json_tools",
        "chat_template": "{% for message in messages %}{{ message.content }} {% endfor %}" + MARKED,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": SIZE, "intermediate_size": SIZE,
        "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "vocab_size": len(tokens), "tie_word_embeddings": False,
        "max_position_embeddings": CONTEXT_TOKENS, "eos_token_id": place[END],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    arrays = weights(len(tokens), follows(place, tool, arguments))
    mx.save_safetensors(str(folder / "model.safetensors"), arrays, metadata={"format": "mlx"})


def weights(vocabulary: int, after: dict[int, int]) -> dict[str, mx.array]:
    """Return the arrays: a layer that adds nothing, between one direction for each token and what follows it."""
    names = (*(f"self_attn.{name}_proj" for name in "qkvo"), *(f"mlp.{name}_proj" for name in ("gate", "up", "down")))
    arrays = {f"model.layers.0.{name}": mx.zeros((SIZE, SIZE)) for name in names}
    norms = ("model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm", "model.norm")
    arrays |= {name: mx.ones((SIZE,)) for name in norms}
    arrays["model.embed_tokens"] = mx.eye(vocabulary, SIZE)
    rows = [[SURE * (after.get(column) == row) for column in range(SIZE)] for row in range(vocabulary)]
    arrays["lm_head"] = mx.array(rows)
    return {f"{name}.weight": array for name, array in arrays.items()}


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
