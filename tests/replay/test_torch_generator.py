"""torch's CPU generator in numpy: recorded values of torch, and what must hold of any of them.

Recorded with torch 2.15.0 on a CPU: ``g = torch.Generator().manual_seed(SEED)``, then
``torch.empty(n).uniform_(low, high, generator=g)`` and ``torch.empty(n).normal_(generator=g)``; layers and loader
after ``torch.manual_seed(SEED)``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from refdp.errors import RefDPError
from refdp.replay import torch_generator
from refdp.replay.torch_generator import TorchGenerator

UNIFORM_42 = """0x1.c3b8ccp-1 0x1.d47b66p-1 0x1.880d7p-2 0x1.eb2a1cp-1 0x1.8fd1a8p-2 0x1.33a88ep-1"""
BOUNDED_42 = """0x1.d5bb84p-3 0x1.fdf4f6p-3 -0x1.1fdfcp-4 0x1.1a3288p-2 -0x1.0d3c08p-4 0x1.efebbap-5"""
NORMAL_42_16 = [
    1.9269152879714966, 1.4872840642929077, 0.9007171988487244, -2.1055209636688232, 0.6784184575080872,
    -1.2345448732376099, -0.04306747764348984, -1.6046669483184814, -0.7521352767944336, 1.6487230062484741,
    -0.3924786448478699, -1.4036071300506592, -0.7278813123703003, -0.5594301819801331, -0.7688388824462891,
    0.7624453902244568,
]  # fmt: skip
NORMAL_42_20 = [
    1.9269152879714966, 1.4872840642929077, 0.9007171988487244, -2.1055209636688232, -0.7581311464309692,
    1.078317642211914, 0.8008005619049072, 1.680620551109314, 0.3558599054813385, -0.6866229772567749,
    -0.4933563470840454, 0.2414877861738205, -0.2316243201494217, 0.041759490966796875, -0.2515752911567688,
    0.859858512878418, -0.3097267746925354, -0.3957104980945587, 0.8034093379974365, -0.6215953826904297,
]  # fmt: skip
FIVE_FIVE_UNIFORM_123 = [
    -0.11146711558103561, 0.12036294490098953, -0.3696345090866089, -0.2404179722070694, -1.1969243288040161,
    0.20926935970783234, -0.9723550081253052, -0.755045473575592, 0.32390275597572327, -0.10852263122797012,
    0.8535717725753784, 0.5931529998779297, 0.6367253661155701,
]  # fmt: skip
AFTER_A_LOADER_456 = [0.7450968623161316, 0.79459148645401, 0.6126734018325806]
LINEAR_10_64_42 = [0.24176831543445587, 0.2624715566635132, -0.07408346235752106, 0.29049038887023926]


def check_uniforms() -> None:
    assert TorchGenerator(42).uniform(6).tolist() == [float.fromhex(v) for v in UNIFORM_42.split()]
    assert TorchGenerator(42).uniform(6, -0.3, 0.3).tolist() == [float.fromhex(v) for v in BOUNDED_42.split()]
    bound = 1 / math.sqrt(10)
    assert TorchGenerator(42).uniform(640, -bound, bound)[:4].tolist() == LINEAR_10_64_42


def check_block_normals() -> None:
    for wanted in (NORMAL_42_16, NORMAL_42_20):
        np.testing.assert_allclose(TorchGenerator(42).normal(len(wanted)), wanted, atol=1e-6, rtol=0)


def check_scalar_normals_and_the_kept_one() -> None:
    generator = TorchGenerator(123)
    found = [*generator.normal(5), *generator.normal(5), *generator.uniform(3)]
    assert found == pytest.approx(FIVE_FIVE_UNIFORM_123, abs=1e-7)


def check_loader() -> None:
    generator = TorchGenerator(456)
    generator.data_loader()
    assert generator.uniform(3).tolist() == AFTER_A_LOADER_456


CHECKS = (check_uniforms, check_block_normals, check_scalar_normals_and_the_kept_one, check_loader)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_recorded_values(check: Callable[[], None]) -> None:
    check()


def sine_first(uniform: np.ndarray) -> np.ndarray:
    blocks = TRUE_BOX_MULLER(uniform).reshape(-1, 2, 8)
    return blocks[:, ::-1].ravel()


def neighbours_as_pairs(uniform: np.ndarray) -> np.ndarray:
    pairs = uniform.reshape(-1, 8, 2).transpose(0, 2, 1).ravel()
    return TRUE_BOX_MULLER(pairs)


def low_word_first(self: TorchGenerator) -> float:
    low, high, low2, high2 = self.raw(4).tolist()
    turn, u = ((h << 32 | w) % 2**53 * 2.0**-53 for h, w in ((high, low), (high2, low2)))
    return math.sqrt(-2 * math.log1p(-u)) * math.cos(2 * math.pi * turn)


def never_kept(self: TorchGenerator) -> float:
    self._kept = None
    return TRUE_ONE(self)


def top_bits(self: TorchGenerator, count: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    return ((self.raw(count) >> np.uint32(8)) * 2.0**-24 * (high - low) + low).astype(np.float32)


TRUE_BOX_MULLER, TRUE_ONE = torch_generator._box_muller, TorchGenerator._one
FAULTS = [
    (torch_generator, "_box_muller", sine_first, check_block_normals),
    (torch_generator, "_box_muller", neighbours_as_pairs, check_block_normals),
    (TorchGenerator, "_one", low_word_first, check_scalar_normals_and_the_kept_one),
    (TorchGenerator, "_one", never_kept, check_scalar_normals_and_the_kept_one),
    (TorchGenerator, "data_loader", lambda self: None, check_loader),
    (TorchGenerator, "data_loader", lambda self: self.raw(1), check_loader),
    (TorchGenerator, "uniform", top_bits, check_uniforms),
]


@pytest.mark.parametrize(("place", "name", "fault", "check"), FAULTS)
def test_a_seeded_fault_is_caught_by_its_check(
    monkeypatch: pytest.MonkeyPatch, place: object, name: str, fault: object, check: Callable[[], None]
) -> None:
    monkeypatch.setattr(place, name, fault)
    with pytest.raises(AssertionError):
        check()


def test_the_outputs_are_mt19937s() -> None:
    """Its authors' default seed: the first output, and the 10,000th, which the C++ standard names."""
    outputs = TorchGenerator(5489).raw(10000)
    assert (outputs[0], outputs[-1]) == (3499211612, 4123659995)


@pytest.mark.parametrize(
    ("count", "outputs"), [(1, 4), (2, 4), (5, 12), (15, 32), (16, 16), (17, 33), (320, 320)]
)
def test_outputs_used_up_by_normals(count: int, outputs: int) -> None:
    generator, plain = TorchGenerator(7), TorchGenerator(7)
    generator.normal(count)
    plain.raw(outputs)
    assert (generator.raw(3) == plain.raw(3)).all()


def test_a_kept_value_waits_while_other_draws_are_made() -> None:
    generator, plain = TorchGenerator(7), TorchGenerator(7)
    generator.normal(1)
    generator.normal(16)
    generator.uniform(3)
    kept = generator.normal(1)
    assert kept == plain.normal(2)[1]


@pytest.mark.parametrize("count", [16, 64, 640, 1000, 20001])
def test_normals_are_standard_normal(count: int) -> None:
    values = np.concatenate([TorchGenerator(seed).normal(count) for seed in range(-(-20000 // count))])
    assert abs(values.mean()) < 5 / math.sqrt(len(values))
    assert abs(values.std() - 1) < 5 / math.sqrt(2 * len(values))


def test_draws_do_not_repeat_and_depend_on_the_seed() -> None:
    generator = TorchGenerator(3)
    draws = [generator.normal(32) for _ in range(4)] + [TorchGenerator(4).normal(32)]
    for a, b in itertools.combinations(draws, 2):
        assert not np.isin(a, b).any()


def test_seeds_wrap_at_2_to_32_as_torchs_do_and_others_are_refused() -> None:
    assert (TorchGenerator(2**32 + 7).raw(4) == TorchGenerator(7).raw(4)).all()
    with pytest.raises(RefDPError, match=r"seed = 18446744073709551616: must be < 2\^64"):
        TorchGenerator(2**64)
    with pytest.raises(RefDPError, match="seed = -1"):
        TorchGenerator(-1)
