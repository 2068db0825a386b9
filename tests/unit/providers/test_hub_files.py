"""Names of files as repositories of the hub have them, and what they tell."""

import pytest

from tierwise.providers.hub import HubFile
from tierwise.providers.hub_files import label_of, quantized


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("gpt-oss-20b-Q4_K_M.gguf", "Q4_K_M"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("model.q8_0.gguf", "Q8_0"),
        ("Qwen3.5-27B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("Qwen3.5-27B-IQ4_XS.gguf", "IQ4_XS"),
        ("BF16/Qwen3.5-27B-BF16.gguf", "BF16"),
        ("Q4_K_M/weights.gguf", "Q4_K_M"),
        ("gemma-4-31B-it-qat.gguf", "gemma-4-31B-it-qat"),
        ("phi-4-TQ1_0.gguf", "TQ1_0"),
    ],
)
def test_a_name_tells_its_quantization(name: str, label: str) -> None:
    assert label_of(name) == label


def test_parts_stay_together_and_helpers_stay_out() -> None:
    names = [
        "big-Q4_K_M-00002-of-00002.gguf", "big-Q4_K_M-00001-of-00002.gguf", "big-Q8_0.gguf", "mmproj-BF16.gguf",
        "imatrix_unsloth.gguf", "README.md", "model.safetensors",
    ]  # fmt: skip
    found = quantized(HubFile(name=name, size_bytes=10) for name in names)
    assert [(one.quantization, one.size_bytes, len(one.files)) for one in found] == [("Q4_K_M", 20, 2), ("Q8_0", 10, 1)]
    assert [file.name for file in found[0].files] == sorted(names[:2])
