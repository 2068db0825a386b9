"""Which row is a part's, by the name its driver tells? Never the one beside it."""

import pytest

from tierwise.hardware.parts import device, devices, factors, part, sources


@pytest.mark.parametrize(
    ("told", "memory_gib", "bandwidth"),
    [
        ("NVIDIA GeForce RTX 4090", 24, 1008),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16, 576),
        ("NVIDIA GeForce RTX 3080", 10, 760),
        ("NVIDIA GeForce RTX 3080", 12, 912),
        ("NVIDIA GeForce RTX 3060", 12, 360),
        ("NVIDIA GeForce RTX 3060", 8, 240),
        ("NVIDIA GeForce RTX 3060 Ti", 8, 448),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", 16, 672),
        ("NVIDIA A100-SXM4-80GB", 80, 2039),
        ("NVIDIA A100-PCIE-40GB", 40, 1555),
        ("NVIDIA H100 PCIe", 80, 2000),
        ("NVIDIA H100 80GB HBM3", 80, 3350),
        ("NVIDIA RTX 6000 Ada Generation", 48, 960),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 96, 1792),
        ("Tesla T4", 15, 320),
        ("AMD Radeon RX 7900 XTX", 24, 960),
        ("AMD Radeon RX 7900 XT", 20, 800),
        ("Radeon 8060S Graphics", 64, 256),
        ("AMD Instinct MI300X", 192, 5300),
        ("Intel(R) Arc(TM) A770 Graphics", 16, 560),
        ("Apple M1", 16, 68),
        ("Apple M4 Pro", 48, 273),
        ("Apple M3 Max", 64, 300),
    ],
)
def test_a_part_has_the_row_that_its_name_says(told, memory_gib, bandwidth):
    assert device(told, memory_gib * 1024**3).bandwidth_gb_s == bandwidth


@pytest.mark.parametrize(
    "told",
    [
        "",
        "NVIDIA GeForce RTX 4050 Laptop GPU",  # there is a 4060 Laptop, and no 4050
        "NVIDIA GeForce RTX 3080 Laptop GPU",  # the desktop card of that name reads twice as fast
        "NVIDIA GeForce RTX 5090 D v2",
        "Apple M4 Ultra",
        "Apple M9",
        "Quadro RTX 6000",
        "RTX",
        "Microsoft Basic Render Driver",
        "llvmpipe (LLVM 17.0.6, 256 bits)",
    ],
)
def test_a_part_that_no_row_names_is_unknown_and_never_a_cousin(told):
    assert device(told) is None
    assert part("vulkan", told).bandwidth_gb_s is None


def test_of_namesakes_the_slower_is_taken_where_the_memory_is_not_told():
    assert device("NVIDIA GeForce RTX 3080").bandwidth_gb_s == 760


def test_what_was_measured_stands_before_the_makers_figure():
    assert part("cuda", "NVIDIA GeForce RTX 4090", bandwidth_gb_s=900.0).bandwidth_gb_s == 900.0


def test_every_row_has_a_source_that_is_told_and_a_sane_figure():
    for row in devices():
        assert row.sources
        assert set(row.sources) <= sources().keys()
        assert 30 <= row.bandwidth_gb_s <= 10_000
        assert row.tflops is None or 20 <= row.tflops <= 3000
    names = [(row.name, row.memory_gb) for row in devices()]
    assert len(set(names)) == len(names)


def test_every_kind_of_part_has_factors_and_says_where_they_are_from():
    assert set(factors()) == {"cpu", "cuda", "rocm", "xpu", "metal", "vulkan"}
    for one in factors().values():
        assert one.source
        for spread in (one.dense, one.moe, one.prompt):
            assert 0 < spread.low < 1 < spread.high
