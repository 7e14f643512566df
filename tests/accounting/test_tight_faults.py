"""Seeded faults of the tight engine: each is caught by the check named beside it, which passes on the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tight_checks
from edits import edit

from refdp.accounting import bins, contour, decay, inversion, kinked, pairs, tight

Patch = pytest.MonkeyPatch
Edit = tuple[Any, str, str, str]
FAULTS: dict[str, tuple[Edit, Callable[[], None]]] = {
    "alias_not_subtracted": (
        (inversion.Inversion, "log_delta", " - aliases * (1 + 1e-9)", ""),
        tight_checks.check_any_plan,
    ),
    "left_alias_forgotten": (
        (inversion.Inversion, "log_delta", "for x in (left, right)", "for x in (right,)"),
        tight_checks.check_any_plan,
    ),
    "right_alias_forgotten": (
        (inversion.Inversion, "log_delta", "for x in (left, right)", "for x in (left,)"),
        tight_checks.check_any_plan,
    ),
    "guard_at_the_wrong_place": (
        (inversion, "invert", "mu_squared, chosen.guard)\n", "mu_squared, chosen.tilt / 2)\n"),
        tight_checks.check_any_plan,
    ),
    "truncation_dropped": (
        (inversion.Inversion, "log_delta", "error += math.exp(self.log_tail)", "error += 0.0"),
        tight_checks.check_truncated_sum,
    ),
    "van_der_corput_without_its_boundary": (
        (
            decay.Decay,
            "log_bounds",
            "above[good] - tau[good] / frequencies[:, None]",
            "above[good] + 0 * frequencies[:, None]",
        ),
        tight_checks.check_truncated_sum,
    ),
    "phase_of_epsilon_reversed": (
        (inversion.Inversion, "log_delta", "self.log_phi - 1j * (s * y)", "self.log_phi + 1j * (s * y)"),
        tight_checks.check_truths,
    ),
    "first_term_counted_whole": (
        (inversion.Inversion, "log_delta", "terms[0] *= 0.5", "terms[0] *= 1.0"),
        tight_checks.check_truths,
    ),
    "pay_off_of_another_transform": (
        (inversion.Inversion, "log_delta", "z * (z + 1)", "z * z"),
        tight_checks.check_truths,
    ),
    "count_ignored_in_the_phases": (
        (inversion, "invert", "imag = counts[row] * ", "imag = 1.0 * "),
        tight_checks.check_known_value,
    ),
    "scale_off_by_one_step": (
        (inversion, "invert", "float(counts @ found.log_scale)", "float((counts - 1) @ found.log_scale)"),
        tight_checks.check_golden_directions,
    ),
    "gaussian_part_without_its_drift": (
        (inversion, "invert", "mu_squared * (tilt + 0.5)", "mu_squared * tilt"),
        tight_checks.check_gaussian_part,
    ),
    "shift_of_the_wrong_sign": (
        (contour, "line", "t = real + 1j * a", "t = real - 1j * a"),
        tight_checks.check_coarse_rule,
    ),
    "coarse_rule_error_dropped": (
        (contour, "line", "quadrature = (1 + ", "quadrature = 0 * (1 + "),
        tight_checks.check_coarse_rule,
    ),
    "tilt_of_p_off_by_one": (
        (contour, "line", "(1 + tilt) * log_a - tilt * log_b", "tilt * log_a - (tilt - 1) * log_b"),
        tight_checks.check_truths,
    ),
    "add_direction_is_a_copy": (
        (pairs, "poisson_pairs", "Pair(plain, mixed)", "Pair(mixed, plain)"),
        tight_checks.check_truths,
    ),
    "add_direction_always_below": (
        (tight, "_below", "if _greatest_loss(parts, mu_squared) <= epsilon:", "if True:"),
        tight_checks.check_below_is_proved,
    ),
    "chernoff_shape_inverted": (
        (tight, "_below", "tilt * math.log(tilt) - (1 + tilt) * math.log1p(tilt)", "-50.0"),
        tight_checks.check_below_is_proved,
    ),
    "greatest_loss_of_one_step": (
        (tight, "_greatest_loss", "float(part.counts.sum())", "1.0"),
        tight_checks.check_greatest_loss,
    ),
    "binned_up_for_the_upper_bound": (
        (bins, "regrouped", 'how == "down"', 'how != "down"'),
        tight_checks.check_grouped_schedule,
    ),
    "groups_lose_a_step": (
        (bins, "regrouped", "totals = np.add.reduceat(counts, starts)", "totals = counts[starts]"),
        tight_checks.check_grouped_schedule,
    ),
    "replace_one_as_add_remove": (
        (pairs, "poisson_replace_pair", "Mixture((1.0,), (sample_rate,))", "Mixture()"),
        tight_checks.check_replace_one_single_step,
    ),
    "atom_forgotten": (
        (kinked, "atom", "(1 - law.weight) *", "0.0 *"),
        tight_checks.check_kinked_steps,
    ),
    "transform_of_a_smoother_pay_off": (
        (inversion.Inversion, "log_delta", "z * (z + 1)", "z * (z + 1.0001)"),
        tight_checks.check_single_steps_by_contour,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_caught(name: str, monkeypatch: Patch) -> None:
    (owner, function, old, new), check = FAULTS[name]
    edit(monkeypatch, owner, function, old, new)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("name", tight_checks.checks())
def test_named_check_passes(name: str) -> None:
    tight_checks.checks()[name]()


def test_every_named_check_guards_a_fault() -> None:
    assert {check for _, check in FAULTS.values()} == set(tight_checks.checks().values())
