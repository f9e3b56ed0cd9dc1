from __future__ import annotations

from pathlib import Path

import pytest

from secondpass.models import processor
from secondpass.models.processor import BF16, WIDE_INT8, instructions, lacks, largest_weight

AMD = "model name\t: 处理器\nflags\t\t: fpu avx avx2 f16c\n\nflags\t\t: fpu amx_tile\n"
ARM = "BogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp bf16 i8mm\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def write(content: str | None) -> None:
        path = tmp_path / "cpuinfo"
        if content is not None:
            path.write_text(content, encoding="utf-8")
        monkeypatch.setattr(processor, "_FILE", path)
        instructions.cache_clear()

    yield write
    monkeypatch.undo()
    instructions.cache_clear()


def test_instructions_are_those_of_the_first_core(cpuinfo):
    cpuinfo(AMD)
    assert instructions() == {"fpu", "avx", "avx2", "f16c"}
    assert lacks(BF16)
    assert lacks(WIDE_INT8)
    assert largest_weight() == 63


def test_an_arm_processor_says_features(cpuinfo):
    cpuinfo(ARM)
    assert not lacks(BF16)
    assert largest_weight() == 127


@pytest.mark.parametrize("content", [None, "no list of them\n"])
def test_where_the_system_does_not_say_nothing_is_surely_missing(cpuinfo, content):
    cpuinfo(content)
    assert instructions() == frozenset()
    assert not lacks(BF16)
    assert largest_weight() == 127


def test_weights_of_seven_bits_cannot_exceed_a_sum_of_sixteen():
    assert 255 * 63 * 2 <= 2**15 - 1 < 255 * 127 * 2
