"""How do the weights become a file that any GGUF runtime loads? One GGUF of the `llama` architecture, in Q8_0.

Deliberately knows nothing about training beyond the checkpoint's tensors: their names are the file's names.
Invariant: matrices in Q8_0, vectors in F32; the same checkpoint gives the same bytes.
"""

import argparse
from pathlib import Path

import gguf
import torch

from recipes.banking77 import model
from recipes.banking77.tokenizer import CHAT_TEMPLATE, CONTROL, END, PAD, START, UNKNOWN, Tokenizer
from recipes.banking77.train import SETTINGS, WORK, Setting

Q8_0 = gguf.GGMLQuantizationType.Q8_0
QUANTIZATION_VERSION = 2


def write(checkpoint: Path, words: Tokenizer, setting: Setting, name: str, target: Path) -> None:
    """Write the model in CHECKPOINT to TARGET, whole or not at all."""
    shape = setting.shape(len(words.tokens))
    draft = target.with_name(target.name + ".draft")
    writer = gguf.GGUFWriter(str(draft), "llama")
    writer.add_name(f"Tierwise Banking77 {name}")
    writer.add_description("Names one of the 77 intents of Banking77. Knows nothing else.")
    _add_shape(writer, shape)
    _add_words(writer, words)
    for tensor_name, tensor in torch.load(checkpoint, weights_only=True)["model"].items():
        values = tensor.numpy()
        if values.ndim == 1:
            writer.add_tensor(tensor_name, values)
        else:
            writer.add_tensor(tensor_name, gguf.quants.quantize(values, Q8_0), raw_dtype=Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(target)


def _add_shape(writer: gguf.GGUFWriter, shape: model.Shape) -> None:
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(QUANTIZATION_VERSION)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(model.NORM_EPSILON)
    writer.add_rope_freq_base(model.ROPE_BASE)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_vocab_size(shape.vocabulary)


def _add_words(writer: gguf.GGUFWriter, words: Tokenizer) -> None:
    kinds = [gguf.TokenType.NORMAL] * len(words.tokens)
    for token in CONTROL:
        kinds[words.number[token]] = gguf.TokenType.CONTROL
    for number in words.user_defined:
        kinds[number] = gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{a} {b}" for a, b in words.merges])
    writer.add_bos_token_id(words.number[START])
    writer.add_eos_token_id(words.number[END])
    writer.add_pad_token_id(words.number[PAD])
    writer.add_unk_token_id(words.number[UNKNOWN])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def main() -> None:
    """Convert every finished checkpoint of the work folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, default=WORK)
    args = parser.parse_args()
    words = Tokenizer.load(args.work / "tokenizer.json")
    for name, setting in SETTINGS.items():
        for checkpoint in sorted(args.work.glob(f"{name}-*.pt")):
            if torch.load(checkpoint, weights_only=True)["step"] < setting.steps:
                raise SystemExit(f"{checkpoint} is not finished: run the training step again")
            write(checkpoint, words, setting, name, checkpoint.with_suffix(".gguf"))


if __name__ == "__main__":
    main()
