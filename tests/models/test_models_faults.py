"""Layers broken on purpose: each fault must be caught by the check that is named. All checks pass without one."""

import layer_checks
import numpy as np
import pytest

from refdp.models.layers import AvgPool2d, Conv2d, WsConv2d, chain, conv2d, group_norm, weight_standardisation
from refdp.models.layers.group_norm import GroupNorm
from refdp.models.layers.residual import Residual


def kernel_not_read_backwards(patch):
    """dx as if convolution were its own transpose."""

    def from_patches_of(self, xp, params, x, turned):
        forwards = params["weight"].transpose(1, 2, 0, 3).reshape(turned.shape[1], self.in_channels)
        return (turned @ forwards).reshape(x.shape)

    patch.setattr(Conv2d, "_from_patches_of", from_patches_of)


def gradients_padded_like_images(patch):
    """Patches of dY cut with the padding of x; the same for odd kernels with half padding, wrong for others."""

    def patches_of(self, xp, dy):
        padded = xp.pad(dy, ((0, 0), (0, self.kernel), (0, self.kernel), (0, 0)))
        cut = conv2d.patches(xp, padded, self.kernel, 1, self.padding)
        rows, columns = (n + self.kernel - 1 - 2 * self.padding for n in dy.shape[1:3])
        height, width = (n + 1 + 2 * self.padding for n in dy.shape[1:3])
        return cut.reshape(len(dy), height, width, -1)[:, :rows, :columns].reshape(-1, cut.shape[1])

    patch.setattr(Conv2d, "_patches_of", patches_of)


def statistics_over_the_batch(patch):
    """Batch normalisation in disguise: the sums of a group are those of all samples together."""
    original = GroupNorm._over_group

    def over_group(self, xp, values):
        totals = original(self, xp, values)
        return xp.zeros_like(totals) + totals.mean(axis=0)

    patch.setattr(GroupNorm, "_over_group", over_group)


def jacobian_left_out(patch):
    """dV_b is handed on as if it were dW_b."""
    patch.setattr(
        weight_standardisation,
        "pull_back",
        lambda xp, used, dv: xp.einsum("bon,on->bo", dv, used.centred),
    )


def mean_of_the_gradient_kept(patch):
    """The standardisation is treated as a mere scale."""

    def pull_back(xp, used, dv):
        along = xp.einsum("bon,on->bo", dv, used.centred)
        dv *= used.scale[:, None]
        dv -= along[:, :, None] * used.slope
        return along

    patch.setattr(weight_standardisation, "pull_back", pull_back)


def std_taken_as_constant(patch):
    """No gradient through the standard deviation."""
    for name in ("unbiased", "scaled"):
        original = getattr(weight_standardisation, name)

        def without(*args, original=original):
            used = original(*args)
            return used._replace(slope=0 * used.slope)

        patch.setattr(weight_standardisation, name, without)


def biased_std(patch):
    """1 / N in the place of 1 / (N - 1), values and gradients alike."""

    def biased(xp, weight):
        centred = weight - weight.mean(axis=1, keepdims=True)
        std = weight.std(axis=1, keepdims=True)
        scale = 1 / (std + 1e-5)
        slope = centred * scale * scale / (std * weight.shape[1])
        return weight_standardisation.Standardised(centred * scale, centred, scale[:, 0], slope, scale[:, 0])

    patch.setattr(weight_standardisation, "unbiased", biased)


def biased_jacobian(patch):
    """Values right, but the gradient is that of the biased standard deviation."""
    original = weight_standardisation.unbiased

    def unbiased(xp, weight):
        used = original(xp, weight)
        number = weight.shape[1]
        return used._replace(slope=used.slope * ((number - 1) / number))

    patch.setattr(weight_standardisation, "unbiased", unbiased)


def eps_inside_the_root_of_the_filters(patch):
    def unbiased(xp, weight):
        centred = weight - weight.mean(axis=1, keepdims=True)
        scale = 1 / xp.sqrt(weight.var(axis=1, keepdims=True, ddof=1) + 1e-5)
        slope = centred * scale**3 / (weight.shape[1] - 1)
        return weight_standardisation.Standardised(centred * scale, centred, scale[:, 0], slope, scale[:, 0])

    patch.setattr(weight_standardisation, "unbiased", unbiased)


def floor_added_instead_of_a_maximum(patch):
    def scaled(xp, weight, gain):
        centred = weight - weight.mean(axis=1, keepdims=True)
        r = 1 / xp.sqrt((centred**2).sum(axis=1, keepdims=True) + 1e-4)
        scale = gain[:, None] * r
        return weight_standardisation.Standardised(
            centred * scale, centred, scale[:, 0], scale * r * r * centred, r[:, 0]
        )

    patch.setattr(weight_standardisation, "scaled", scaled)


def eps_outside_the_root_of_the_groups(patch):
    """1 / (std + eps) for 1 / sqrt(variance + eps)."""
    original = GroupNorm.forward

    def forward(self, xp, params, x):
        each = self.channels // self.groups
        values = x.reshape(*x.shape[:3], self.groups, each)
        std = values.std(axis=(1, 2, 4), keepdims=True)
        y = (values - values.mean(axis=(1, 2, 4), keepdims=True)) / (std + 1e-5)
        return y.reshape(x.shape) * params["weight"] + params["bias"], original(self, xp, params, x)[1]

    patch.setattr(GroupNorm, "forward", forward)


def unbiased_group_variance(patch):
    """The variance of a group divided by n - 1."""
    patch.setattr(
        group_norm,
        "_inner",
        lambda xp, a, b, channels: (
            xp.einsum("bhr,bhr->br", a, b).reshape(len(a), -1, channels).sum(axis=1)
            * (1 + (a is b) / (a.shape[1] * a.shape[2] // 2 - 1))
        ),
    )


def group_mean_not_differentiated(patch):
    """The mean of g is left out of dx."""
    original = GroupNorm._input_gradient
    patch.setattr(
        GroupNorm,
        "_input_gradient",
        lambda self, xp, params, cache, dy, own: original(
            self, xp, params, cache, dy, own | {"bias": 0 * own["bias"]}
        ),
    )


def shortcut_gradient_forgotten(patch):
    """Only the main chain sends a gradient back."""
    patch.setattr(
        Residual,
        "input_gradient",
        lambda self, xp, params, cache, dy: chain.input_gradient(xp, self.main, params, cache[1], dy),
    )


def shortcut_gradient_forgotten_in_the_joint_pass(patch):
    def backward(self, xp, params, cache, dy, out, wants_input):
        dx = chain.backward(xp, self.main, params, cache[1], dy, out, wants_input)
        chain.backward(xp, self.shortcut, params, cache[2], dy, out, wants_input)
        return dx

    patch.setattr(Residual, "backward", backward)


def shortcut_not_added(patch):
    """y = main(x)."""
    original = chain.forward

    def forward(self, xp, params, x):
        y, main = original(xp, self.main, params, x)
        return y, (params, main, original(xp, self.shortcut, params, x)[1])

    patch.setattr(Residual, "forward", forward)


def pool_divides_by_its_side(patch):
    """1 / size for the mean of size² values."""
    original = AvgPool2d.forward

    def forward(self, xp, params, x):
        y, cache = original(self, xp, params, x)
        return y * self.size, cache

    patch.setattr(AvgPool2d, "forward", forward)


def filters_counted_with_a_bias(patch):
    """The architecture's convolutions have no bias."""
    original = WsConv2d.parameter_shapes
    patch.setattr(WsConv2d, "parameter_shapes", lambda self: original(self) | {"bias": (self.out_channels,)})


FAULTS = [
    (kernel_not_read_backwards, layer_checks.check_conv_gradient),
    (gradients_padded_like_images, layer_checks.check_conv_gradient),
    (statistics_over_the_batch, layer_checks.check_rows_alone),
    (statistics_over_the_batch, layer_checks.check_group_norm_values),
    (jacobian_left_out, layer_checks.check_ws_gradient),
    (jacobian_left_out, layer_checks.check_ws_orthogonal),
    (mean_of_the_gradient_kept, layer_checks.check_ws_orthogonal),
    (std_taken_as_constant, layer_checks.check_ws_gradient),
    (biased_std, layer_checks.check_ws_values),
    (biased_jacobian, layer_checks.check_ws_gradient),
    (eps_inside_the_root_of_the_filters, layer_checks.check_ws_values),
    (floor_added_instead_of_a_maximum, layer_checks.check_ws_values),
    (eps_outside_the_root_of_the_groups, layer_checks.check_group_norm_values),
    (unbiased_group_variance, layer_checks.check_group_norm_values),
    (group_mean_not_differentiated, layer_checks.check_group_norm_gradient),
    (shortcut_gradient_forgotten, layer_checks.check_residual_gradient),
    (shortcut_gradient_forgotten_in_the_joint_pass, layer_checks.check_residual_in_a_network),
    (shortcut_not_added, layer_checks.check_residual_gradient),
    (pool_divides_by_its_side, layer_checks.check_avg_pool_values),
    (filters_counted_with_a_bias, layer_checks.check_parameter_counts),
]


@pytest.mark.parametrize("check", layer_checks.ALL)
def test_without_a_fault_every_check_passes(check):
    check()


@pytest.mark.parametrize(("fault", "check"), FAULTS)
def test_a_fault_is_caught_by_the_named_check(fault, check, monkeypatch):
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises(AssertionError), np.errstate(all="ignore"):
            check()


def test_every_check_can_fail():
    assert {check for _, check in FAULTS} == set(layer_checks.ALL)
