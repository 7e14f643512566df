"""Each kind of wrong noise is refused, by the name of what is wrong with it."""

from __future__ import annotations

import noise_checks as checks
import noise_faults as faults
import pytest

GRADIENT = [
    (faults.drawn(faults.tensor_by_a_third), "scale is off in some tensor"),
    (faults.drawn(faults.last_step_by_a_third), "scale is off at some step"),
    (faults.drawn(faults.same_for_two_tensors), "reused between tensors"),
    (faults.drawn(faults.partly_for_two_tensors), "reused between tensors"),
    (faults.drawn(faults.centred), "shared between coordinates"),
    (faults.drawn(faults.alternating), "shared between neighbours"),
    (faults.drawn(faults.smoothed), "shared between neighbours"),
    (faults.drawn(faults.uniform), r"not N\(0, 1\)"),
    (faults.drawn(faults.biased), "has a mean"),
    (faults.same_steps, "reused between steps"),
    (faults.last_steps_draws_partly, "reused between steps"),
    (faults.same_seeds, "reused between seeds"),
    (faults.schedule_a_step_late, "scale is not what is declared"),
]
COUNTS = [
    (faults.counts_times(2 / 3), "what is declared"),
    (faults.counts_from_the_gradients_stream, "the gradient's"),
    (faults.counts_reused, "is reused"),
    (faults.counts_of_known_seeds, "is reused"),
]
ACCURACY = [
    (faults.accuracy_by_a_third, "what is declared"),
    (faults.accuracy_from_the_gradients_stream, "the gradient's"),
    (faults.accuracy_reused, "is reused"),
]


def refused(found: dict[str, float], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        checks.hold({name: p for name, p in found.items() if says.replace("\\", "") in name}, "the fault")


@pytest.mark.parametrize(("fault", "says"), GRADIENT)
def test_wrong_noise_on_the_gradient(fault: faults.Fault, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    runs = [checks.recover("per-layer", "linear", seed) for seed in checks.SEEDS]
    refused(checks.gradient_p_values(runs), says)


@pytest.mark.parametrize(("fault", "says"), COUNTS)
@pytest.mark.parametrize("rule", ["quantile", "per-layer-quantile"])
def test_wrong_noise_on_the_counts(
    rule: str, fault: faults.Fault, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        checks.check_count_noise(rule, "cosine")


def test_one_draw_for_all_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    faults.counts_alike(monkeypatch)
    with pytest.raises(AssertionError, match="is reused"):
        checks.check_count_noise("per-layer-quantile", "cosine")


@pytest.mark.parametrize(("fault", "says"), ACCURACY)
def test_wrong_noise_on_the_accuracy(fault: faults.Fault, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        checks.check_accuracy_noise("cosine")
