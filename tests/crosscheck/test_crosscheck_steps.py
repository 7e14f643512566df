"""Three ways, and more, of turning epochs into steps."""

from __future__ import annotations

import pytest
from fake_peers import poisson

from refdp.accounting import AccountingError
from refdp.accounting.counting import StepCount, step_counts
from refdp.crosscheck.steps import cost


def counted(epochs: int, batch: int, records: int) -> dict[str, StepCount]:
    return {each.tools.split(",")[0].split(";")[0]: each for each in step_counts(epochs, batch, records)}


def test_mnist() -> None:
    """5 epochs of 60,000 in batches of 256: 1,172, 1,171, 1,175 and 1,170 steps."""
    got = counted(5, 256, 60000)
    assert got["refdp"].steps == 1172
    assert got["TF-Privacy compute_dp_sgd_privacy_statement"].steps == 1172
    assert got["Opacus get_noise_multiplier"].steps == 1171
    assert got["Opacus make_private_with_epsilon"].steps == 1175
    assert got["a training loop over a data loader"].steps == 1175
    assert got["a training loop with drop_last"].steps == 1170
    assert got["Opacus make_private_with_epsilon"].sample_rate == 1 / 235
    assert got["refdp"].sample_rate == 256 / 60000


def test_floats_lose_a_step() -> None:
    """int(3 / (1 / 75)) is 224: Opacus plans a step less than its loader has."""
    got = counted(3, 1, 75)
    assert got["a training loop over a data loader"].steps == 225
    assert got["Opacus make_private_with_epsilon"].steps == 224


def test_they_agree_where_batches_divide_the_data() -> None:
    assert {each.steps for each in step_counts(4, 64, 1024)} == {64}


def test_the_cost_of_each() -> None:
    found = cost(step_counts(5, 256, 60000), lambda c: poisson(1.1, c.sample_rate, c.steps), 1e-5)
    uppers = [each.bounds.upper for each in found]
    assert uppers[0] == uppers[1]
    assert uppers[2] < uppers[0] < uppers[4]
    assert found[0].to_json()["epsilon"]["upper"] == uppers[0]


def test_what_is_known_of_the_last_batch() -> None:
    """With drop_last a loader has 234 batches, and int(5 / (1 / 234)) is 1169 in floats."""
    assert {each.steps for each in step_counts(5, 256, 60000, True)} == {1169, 1170, 1171, 1172}
    assert {each.steps for each in step_counts(5, 256, 60000, False)} == {1171, 1172, 1175}
    assert {each.steps for each in step_counts(0.5, 10, 100)} == {5}


@pytest.mark.parametrize(("epochs", "batch", "records"), [(-1, 1, 2), (1, 0, 2), (1, 3, 2)])
def test_bad_sizes(epochs: int, batch: int, records: int) -> None:
    with pytest.raises(AccountingError, match=r"epochs|batch size"):
        step_counts(epochs, batch, records)
