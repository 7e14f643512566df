"""Whether recorded noise is what DP-SGD adds: N(0, (noise_multiplier * clip_norm)^2), afresh on every coordinate.

    sample         recorded sums -> noise in units of its standard deviation, and how well it is known
    moments        its scale, as a whole and by tensor, and sums along axes
    distribution   the normal law: Kolmogorov-Smirnov, and the largest draw
    repeats        values that were drawn more than once
    correlation    the same draws in two tensors, draws or steps
    directions     along the sums, the gradients and the weights, which noise should know nothing of
    statistics     all of them, for a step and for many
    again          the noise drawn again from its seed

Every test answers a p-value that is never too small, with the rounding of recorded sums allowed for: the chance that
sound noise gives p <= t is at most t.
"""
