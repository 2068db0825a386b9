"""Make the model of `known` as a GGUF file for llama.cpp. Runs where gguf is installed: gguf_model.py FILE TOOL ARGUMENTS

The template writes no more than the beginning of each message, so that an agent's long prompts are read in no time.
"""

import sys

import gguf
import numpy
from known import CLOSE, END, MARKED, MARKS, OPEN, follows, said

CONTROL = ("<unk>", "<s>", END, "<pad>", *MARKS)
WIDTH, HEAD, CONTEXT_TOKENS = 320, 16, 131_072
SURE = 30.0
TEMPLATE = (
    "{%- for message in messages -%}<|{{ message.role }}|>"
    "{%- if message.content is string %}{{ message.content[:200] }}{% endif -%}"
    "{%- for call in message.tool_calls or [] -%}"
    + OPEN
    + '\n{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}\n'
    + CLOSE
    + "{%- endfor -%}"
    + END
    + "{%- endfor -%}"
    "{%- if tools %}<tools>{% for tool in tools %}{{ tool.function.name }} {% endfor %}</tools>{% endif -%}"
    "{%- if add_generation_prompt %}" + MARKED + "{% endif %}"
)


def letters() -> list[str]:
    """Return the printable letter that GPT-2 has for each of the 256 bytes."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = (chr(256 + number) for number in range(256))
    return [chr(byte) if byte in shown else next(hidden) for byte in range(256)]


def make(file: str, tool: str, arguments: str) -> None:
    """Write the file; a token is a byte, or one of those that are said."""
    whole, space = said(tool, arguments), letters()[ord(" ")]
    tokens = (*CONTROL, *letters(), space + space, *whole)
    place = {token: number for number, token in enumerate(tokens)}
    kinds = dict.fromkeys(CONTROL, gguf.TokenType.CONTROL) | dict.fromkeys(whole, gguf.TokenType.USER_DEFINED)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HEAD)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([f"{space} {space}"])  # there has to be one
    writer.add_bos_token_id(place["<s>"])
    writer.add_eos_token_id(place[END])
    writer.add_pad_token_id(place["<pad>"])
    writer.add_unk_token_id(place["<unk>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, array in weights(len(tokens), follows(place, tool, arguments)).items():
        writer.add_tensor(f"{name}.weight", array.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def weights(vocabulary: int, after: dict[int, int]) -> dict[str, numpy.ndarray]:
    """Return the arrays: a layer that adds nothing, between one direction for each token and what follows it."""
    arrays = {
        f"blk.0.{name}": numpy.zeros((HEAD, WIDTH)) for name in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up")
    }
    arrays |= {f"blk.0.{name}": numpy.zeros((WIDTH, HEAD)) for name in ("attn_output", "ffn_down")}
    arrays |= {name: numpy.ones(WIDTH) for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")}
    arrays["token_embd"] = numpy.eye(vocabulary, WIDTH)
    arrays["output"] = numpy.zeros((vocabulary, WIDTH))
    for token, following in after.items():
        arrays["output"][following, token] = SURE
    return arrays


if __name__ == "__main__":
    make(*sys.argv[1:])
