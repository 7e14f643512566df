"""dp_accounting's DpEvents as refdp events: what has an exact counterpart, everything else refused by its name.

A node is a Call that names an event; where it came from (text, JSON, an object) is ``formats.dp_event``'s business.

G1. Compositions are flattened, counts multiplied: the order within a repeated composition is not kept, and epsilon
    does not depend on it.
G2. Several Gaussian releases on one Poisson sample are one of multiplier (sum of 1/s^2)^(-1/2), also where each is
    chosen on those before: given the sample they are dominated by that Gaussian pair (adaptive composition of
    Gaussian differential privacy), a kernel that maps one pair to the other maps their mixtures too, and the
    other records' samples are averaged over (joint convexity). Attained by equal directions. Not under replace-one,
    where three distributions would have to be mapped at once: refused there. Rounded down, by at most 1e-15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from refdp.accounting import REPLACE_ONE, GaussianEvent, Sampling
from refdp.audit.importers.pytext import Call
from refdp.audit.importers.words import multiplier, rate, short, whole
from refdp.errors import RefDPError

FIELDS: dict[str, tuple[str, ...]] = {
    "NoOpDpEvent": (),
    "NonPrivateDpEvent": (),
    "GaussianDpEvent": ("noise_multiplier",),
    "SelfComposedDpEvent": ("event", "count"),
    "ComposedDpEvent": ("events",),
    "PoissonSampledDpEvent": ("sampling_probability", "event"),
    "SampledWithoutReplacementDpEvent": ("source_dataset_size", "sample_size", "event"),
    "TruncatedSubsampledGaussianDpEvent": (
        "dataset_size",
        "sampling_probability",
        "truncated_batch_size",
        "noise_multiplier",
    ),
}
REFUSED = {
    "UnsupportedDpEvent": "its library has no description of it either",
    "RandomizedResponseDpEvent": "it is not Gaussian",
    "LaplaceDpEvent": "it is not Gaussian",
    "DiscreteLaplaceDpEvent": "it is not Gaussian",
    "SampledWithReplacementDpEvent": "no bound for batches drawn with replacement is proven here",
    "SingleEpochTreeAggregationDpEvent": "tree aggregation has no counterpart in a ledger",
    "RepeatAndSelectDpEvent": "selection among repeated runs has no counterpart in a ledger",
    "MixtureOfGaussiansDpEvent": "for a user's several records give the sampled Gaussian and a ledger's group_size",
    "ZCDpEvent": "a bound on Renyi DP is not a mechanism; give the Gaussians that it bounds",
}
DEEPEST = 80
MOST_NODES = 300_000


@dataclass
class Reader:
    """Turns a tree of nodes into events, within its budget of nodes.

    Attributes:
        node: makes a Call of whatever stands for an event.
        neighboring: the relation asked for, or None.
    """

    node: Callable[[Any], Call]
    neighboring: str | None = None
    visited: int = 0
    joint: bool = False

    def events(self, root: Any) -> tuple[GaussianEvent, ...]:
        """The events, neighbouring equal ones merged."""
        merged: list[tuple[GaussianEvent, int]] = []
        for leaf, count in self.leaves(root):
            event = self.event(leaf, 1.0)
            if event is None:
                continue
            if merged and merged[-1][0] == event:
                merged[-1] = (event, merged[-1][1] + count)
            else:
                merged.append((event, count))
        return tuple(replace(event, count=count) for event, count in merged)

    def leaves(self, root: Any) -> Iterator[tuple[Call, int]]:
        """The events that are no compositions, in order, with how often each happens (never 0 times)."""
        waiting = [(root, 1, 0)]
        while waiting:
            value, count, depth = waiting.pop()
            self.visited += 1
            self.check_size(len(waiting))
            if depth > DEEPEST:
                raise RefDPError(f"the event is nested deeper than {DEEPEST} levels: too deep to be read")
            node = self.checked(value)
            if node.name == "SelfComposedDpEvent":
                times = whole("SelfComposedDpEvent count", node.fields["count"])
                if times:
                    waiting.append((node.fields["event"], whole("composed count", count * times), depth + 1))
            elif node.name == "ComposedDpEvent":
                events = node.fields["events"]
                if not isinstance(events, list | tuple):
                    raise RefDPError(f"ComposedDpEvent events = {short(events)}: must be a list of events")
                self.check_size(len(waiting) + len(events))
                waiting += [(event, count, depth + 1) for event in reversed(events)]
            elif node.name != "NoOpDpEvent":
                yield node, count

    def check_size(self, waiting: int) -> None:
        """Every part that waits will be visited: refuse the event before, where they are too many."""
        if self.visited + waiting > MOST_NODES:
            raise RefDPError(f"the event has over {MOST_NODES:,} parts: too many to be read")

    def checked(self, value: Any) -> Call:
        """A node whose name is known and whose fields are all there, by name."""
        node = self.node(value)
        if node.name in REFUSED:
            raise RefDPError(f"{node.name} is not supported: {REFUSED[node.name]}")
        if node.name not in FIELDS:
            raise RefDPError(
                f"{short(node.name)} is no event known here: must be one of {', '.join(FIELDS)}; an event of another "
                "kind has no counterpart in a ledger"
            )
        names = FIELDS[node.name]
        if not node.args and tuple(node.fields) == names:
            return node
        if len(node.args) > len(names):
            raise RefDPError(f"{node.name} has {len(node.args)} arguments: it takes {', '.join(names)}")
        fields = {**dict(zip(names, node.args, strict=False)), **node.fields}
        if set(fields) != set(names) or len(node.args) + len(node.fields) != len(fields):
            raise RefDPError(
                f"{node.name}: takes {', '.join(names) or 'nothing'}; got {short(', '.join(fields), 100)}"
            )
        return Call(node.name, (), fields)

    def event(self, leaf: Call, chance: float) -> GaussianEvent | None:
        """One leaf as an event of count 1, all of it run with ``chance``; None where nothing is released."""
        fields = leaf.fields
        if leaf.name in ("GaussianDpEvent", "NonPrivateDpEvent"):
            scheme = Sampling("full-batch") if chance == 1 else Sampling("poisson", rate=chance)
            return GaussianEvent(_noise(leaf), scheme)
        if leaf.name == "PoissonSampledDpEvent":
            return self._poisson(fields, chance)
        if chance != 1:
            raise RefDPError(
                f"{leaf.name} within PoissonSampledDpEvent is not supported: no bound is proven here"
            )
        if leaf.name == "TruncatedSubsampledGaussianDpEvent":
            scheme = Sampling(
                "truncated-poisson",
                rate=rate(fields["sampling_probability"], f"{leaf.name} ", "sampling_probability"),
                dataset_size=whole("dataset_size", fields["dataset_size"], minimum=1),
                max_batch_size=whole("truncated_batch_size", fields["truncated_batch_size"]),
            )
            return GaussianEvent(multiplier(fields["noise_multiplier"], f"{leaf.name} "), scheme)
        return self._fixed_size(fields)

    def _poisson(self, fields: dict[str, Any], chance: float) -> GaussianEvent | None:
        name = "PoissonSampledDpEvent"
        own = rate(fields["sampling_probability"], f"{name} ", "sampling_probability")
        both = own * chance
        if Fraction(own) * Fraction(chance) > Fraction(both):
            both = math.nextafter(both, 1.0)
        inner = list(self.leaves(fields["event"]))
        if len(inner) == 1 and inner[0][1] == 1:
            return self.event(inner[0][0], both)
        noise = self._joined(inner, name, both == 1)
        scheme = Sampling("full-batch") if both == 1 else Sampling("poisson", rate=both)
        return None if noise is None else GaussianEvent(noise, scheme)

    def _fixed_size(self, fields: dict[str, Any]) -> GaussianEvent | None:
        name = "SampledWithoutReplacementDpEvent"
        scheme = Sampling(
            "without-replacement",
            dataset_size=whole(f"{name} source_dataset_size", fields["source_dataset_size"], minimum=1),
            batch_size=whole(f"{name} sample_size", fields["sample_size"]),
        )
        inner = list(self.leaves(fields["event"]))
        if sum(count for _, count in inner) > 1:
            raise RefDPError(
                f"{name} of several releases on one sample is not supported: no bound is proven here"
            )
        noise = self._joined(inner, name, True)
        return None if noise is None else GaussianEvent(noise, scheme)

    def _joined(self, inner: list[tuple[Call, int]], outer: str, unsampled: bool) -> float | None:
        """The one multiplier of all that is released on a sample (G2)."""
        for leaf, _ in inner:
            if leaf.name not in ("GaussianDpEvent", "NonPrivateDpEvent"):
                raise RefDPError(
                    f"{outer} of several releases, one of them {leaf.name}, is not supported: only Gaussians are joined"
                )
        released = [(_noise(leaf), count) for leaf, count in inner]
        if len(released) == 1 and released[0][1] == 1:
            return released[0][0]
        if not released:
            return None
        if not unsampled:
            self.joint = True
        if self.joint and self.neighboring == REPLACE_ONE:
            raise RefDPError(
                f"{outer} of several releases on one sample under replace-one is not supported: no bound is proven; "
                "use add-remove or zero-out"
            )
        least = min(noise for noise, _ in released)
        if least == 0:
            return 0.0
        total = math.fsum(count * (least / noise) ** 2 for noise, count in released)
        return least / math.sqrt(total) * (1 - 2.0**-50)


def _noise(leaf: Call) -> float:
    """A Gaussian's multiplier; an event without privacy is one without noise."""
    if leaf.name == "NonPrivateDpEvent":
        return 0.0
    return multiplier(leaf.fields["noise_multiplier"], f"{leaf.name} ")
