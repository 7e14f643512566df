"""What refdp's own accountant says of a ledger: the enclosure, and what other ways of accounting would give.

A disagreement is explained by computing the suspected cause here and comparing the figures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from refdp.accounting import AccountingError, Bounds, Ledger, Schedule, epsilon
from refdp.accounting.accountant import CONVERSION
from refdp.accounting.composition import Composition
from refdp.accounting.conversions import CONVERSIONS
from refdp.accounting.gaussian import gaussian_epsilon
from refdp.accounting.kernels import Poisson
from refdp.accounting.orders import BestOrder, minimise_over_orders


class Truth:
    """A ledger at a delta.

    Attributes:
        bounds: refdp's enclosure of epsilon.
        seconds: that it took.
    """

    def __init__(self, ledger: Ledger, delta: float) -> None:
        self.ledger, self.delta = ledger, delta
        begin = time.perf_counter()
        self.bounds: Bounds = epsilon(ledger, delta)
        self.seconds = time.perf_counter() - begin
        self._rdp: dict[tuple[float, bool], float] = {}
        self._under: dict[str, Truth | None] = {}

    @property
    def lower(self) -> float | None:
        """The true epsilon is at least this."""
        return self.bounds.lower

    @property
    def upper(self) -> float:
        """The true epsilon is at most this."""
        return math.inf if self.bounds.upper is None else self.bounds.upper

    @cached_property
    def composition(self) -> Composition:
        """The ledger as the accountant sees it."""
        return Composition.of(self.ledger)

    @property
    def steps(self) -> int:
        """How many noisy steps."""
        return int(sum(sum(c.counts) for c in self.ledger.charges()))

    def rdp(self, order: float, *, coarse: bool = False) -> float:
        """Upper RDP of the whole at one order."""
        key = (order, coarse)
        if key not in self._rdp:
            self._rdp[key] = self.composition.rdp(order, coarse=coarse)
        return self._rdp[key]

    def rdp_on_grid(self, orders: Sequence[float], conversion: str = CONVERSION) -> BestOrder:
        """Epsilon by RDP restricted to these orders."""
        convert = CONVERSIONS[conversion].epsilon_from_rdp
        usable = [order for order in orders if 1 < order < math.inf]
        if not usable:
            return BestOrder(math.inf, math.nan)
        rough = {order: convert(order, self.rdp(order, coarse=True), self.delta) for order in usable}
        near = sorted(usable, key=rough.__getitem__)[:5]
        values = {order: convert(order, self.rdp(order), self.delta) for order in near}
        best = min(near, key=values.__getitem__)
        return BestOrder(values[best], best)

    def rdp_best(self, conversion: str = CONVERSION) -> BestOrder:
        """Epsilon by RDP over all real orders."""
        convert = CONVERSIONS[conversion].epsilon_from_rdp
        if self.composition.noiseless():
            return BestOrder(math.inf, math.nan)
        rough = minimise_over_orders(lambda a: convert(a, self.rdp(a, coarse=True), self.delta))
        return minimise_over_orders(lambda a: convert(a, self.rdp(a), self.delta), start=rough.order)

    def central_limit(self) -> tuple[float, float] | None:
        """(epsilon, mu) if the loss were normal: mu^2 = sum of q^2 (e^(1/multiplier^2) - 1); None for other steps.

        Bu, Dong, Long, Su 2020 (arXiv 1911.11607), Corollary 2; add-remove.
        """
        total = 0.0
        for kernel, values, counts in self.ledger.charges():
            if not isinstance(kernel, Poisson) and kernel.sampled:
                return None
            rate = kernel.rate if isinstance(kernel, Poisson) else 1.0
            for noise, count in zip(values, counts, strict=True):
                if noise < 0.05:
                    return None
                total += float(count) * rate**2 * math.expm1(noise**-2)
        mu = math.sqrt(total)
        return gaussian_epsilon(mu, self.delta)[1], mu

    def under(self, neighboring: str) -> Truth | None:
        """The same events under another relation; None where that is refused."""
        if neighboring not in self._under:
            try:
                other = Ledger(neighboring, self.ledger.events, self.ledger.group_size)
                self._under[neighboring] = Truth(other, self.delta)
            except AccountingError:
                self._under[neighboring] = None
        return self._under[neighboring]

    @cached_property
    def one_step_less(self) -> Truth | None:
        """The same run a step shorter; None where it is not a single event of equal steps."""
        ledger = self.ledger
        if len(ledger.events) != 1:
            return None
        (event,) = ledger.events
        if isinstance(event.noise, Schedule) or event.count < 2 or event.sampling.passes is not None:
            return None
        fewer = replace(event, count=event.count - 1)
        return Truth(Ledger(ledger.neighboring, (fewer,), ledger.group_size), self.delta)
