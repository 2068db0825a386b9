"""Make a model folder for a real server, with weights that say what they are to say: after each token one certain next.

The template ends a prompt with a mark: a tool's result is answered with `done`, an offer of tools with one call, anything
else with `hello`. So the server's own template, decoding, parsing of calls and counting are at work on a model that is known.
Runs where mlx is installed: tiny_model.py FOLDER TOOL ARGUMENTS
"""

import itertools
import json
import sys
from pathlib import Path

import mlx.core as mx
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

TEMPLATE = (
    "{% for message in messages %}{{ message.content }} {% endfor %}"
    "{% if messages[-1].role == 'tool' %}<|tell|>{% elif tools %}<|call|>{% else %}<|say|>{% endif %}"
)
SPECIAL = ("<unk>", "<|end|>", "<|say|>", "<|call|>", "<|tell|>")
SIZE = 16
SURE = 100.0


def make(folder: Path, call: str) -> None:
    """Write tokenizer, configuration and weights; a token is a word, all that are not said are one."""
    chains = (("<|say|>", "hello", "<|end|>"), ("<|tell|>", "done", "<|end|>"))
    chains += (("<|call|>", "<tool_call>", call, "</tool_call>", "<|end|>"),)
    tokens = list(dict.fromkeys((*SPECIAL, *(token for chain in chains for token in chain))))
    place = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocab=place, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "unk_token": "<unk>",
        "tool_parser_type": "json_tools", "chat_template": TEMPLATE,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": SIZE, "intermediate_size": SIZE,
        "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "vocab_size": len(tokens), "tie_word_embeddings": False,
        "max_position_embeddings": 1_000_000, "eos_token_id": place["<|end|>"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    follows = {place[a]: place[b] for chain in chains for a, b in itertools.pairwise(chain)}
    mx.save_safetensors(str(folder / "model.safetensors"), weights(len(tokens), follows), metadata={"format": "mlx"})


def weights(vocabulary: int, follows: dict[int, int]) -> dict[str, mx.array]:
    """Return the arrays: a layer that adds nothing, between one direction for each token and what follows it."""
    names = (*(f"self_attn.{name}_proj" for name in "qkvo"), *(f"mlp.{name}_proj" for name in ("gate", "up", "down")))
    arrays = {f"model.layers.0.{name}": mx.zeros((SIZE, SIZE)) for name in names}
    norms = ("model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm", "model.norm")
    arrays |= {name: mx.ones((SIZE,)) for name in norms}
    arrays["model.embed_tokens"] = mx.eye(vocabulary, SIZE)
    after = [[SURE * (follows.get(column) == row) for column in range(SIZE)] for row in range(vocabulary)]
    arrays["lm_head"] = mx.array(after)
    return {f"{name}.weight": array for name, array in arrays.items()}


if __name__ == "__main__":
    make(Path(sys.argv[1]), json.dumps({"name": sys.argv[2], "arguments": json.loads(sys.argv[3])}))
