"""A claim (``refdp-claim/1``): a stated epsilon, the ledger it was accounted from, and what was really run.

    {"schema": "refdp-claim/1", "neighboring": "add-remove", "events": [...],     a ledger's fields
     "claimed": {"epsilon": 3.00, "delta": 1e-5},
     "actual_sampling": {"scheme": "shuffle", "epochs": 5},                        where it differs from the events'
     "actual_neighboring": "zero-out", "actual_events": [...], "actual_steps": 1175,
     "divisor": "expected" | "realised",
     "adaptive_clipping": {"mechanism": "quantile", "count_noise": 0, "sensitivity": 0.5},
     "run": {"epochs": 5, "dataset_size": 60000, "batch_size": 256, "drop_last": true},
     "rounded": ["noise_multiplier"], "title": "...", "notes": "..."}

Only the ledger's fields (which may also stand in an object under "ledger") and "claimed" are required.
``rounded``: which of epsilon, noise_multiplier and sample_rate were rounded for print (true: all; false: none). Where
it is left out, figures with 3 to 7 digits *may* have been, and the claim gets the benefit of that doubt.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from refdp.accounting import NEIGHBORING, AccountingError, Ledger, Release, Sampling
from refdp.accounting.events import release_from_json
from refdp.audit.written import half_unit, may_be_rounded, parse_json
from refdp.errors import RefDPError

SCHEMA = "refdp-claim/1"
ROUNDABLE = ("epsilon", "noise_multiplier", "sample_rate")
DIVISORS = ("expected", "realised")
_LEDGER = ("neighboring", "group_size", "events")
_OWN = (
    "schema",
    "ledger",
    "claimed",
    "actual_sampling",
    "actual_neighboring",
    "actual_events",
    "actual_steps",
    "divisor",
    "adaptive_clipping",
    "run",
    "rounded",
    "title",
    "notes",
    "expected",
)


@dataclass(frozen=True)
class Run:
    """What a training loop was told, from which tools count steps in different ways.

    Attributes:
        epochs: passes over the data, > 0; need not be whole.
        drop_last: whether an incomplete last batch is left out; None where that is not known.
    """

    epochs: float
    dataset_size: int
    batch_size: int
    drop_last: bool | None = None

    def __post_init__(self) -> None:
        _number("run.epochs", self.epochs, "must be > 0 and at most 1e6", lambda x: 0 < x <= 1e6)
        for name in ("dataset_size", "batch_size"):
            _whole(f"run.{name}", getattr(self, name), 1)
        if self.batch_size > self.dataset_size:
            raise RefDPError(
                f"run.batch_size = {self.batch_size}: must not exceed the {self.dataset_size} records; mend one"
            )
        if self.drop_last is not None and not isinstance(self.drop_last, bool):
            raise RefDPError(f"run.drop_last = {self.drop_last!r}: must be true or false")


@dataclass(frozen=True)
class Actual:
    """What was really run where it differs from what was accounted; None: it does not, or is not known."""

    sampling: Sampling | None = None
    neighboring: str | None = None
    events: tuple[Release, ...] | None = None
    steps: int | None = None
    divisor: str | None = None
    adaptive_clipping: dict[str, Any] | None = None

    def is_known(self) -> bool:
        """Whether anything differs."""
        return self != Actual() and self != Actual(divisor="expected")


@dataclass(frozen=True)
class Rounding:
    """Half units of what was written: ``epsilon`` absolute, the others relative to the value.

    ``declared``: said to be rounded (a verdict must hold over all of it), or only of that look (a refutation must).
    """

    epsilon: float = 0.0
    noise_multiplier: float = 0.0
    sample_rate: float = 0.0
    declared: bool = False

    def any(self) -> bool:
        """Whether there is anything to widen."""
        return self.epsilon > 0 or self.noise_multiplier > 0 or self.sample_rate > 0


@dataclass(frozen=True)
class Claim:
    """What is claimed and what is known; see the module's text for the fields of the file."""

    ledger: Ledger
    epsilon: float
    delta: float
    actual: Actual = field(default_factory=Actual)
    run: Run | None = None
    rounding: Rounding = field(default_factory=Rounding)
    title: str = ""
    notes: tuple[str, ...] = ()
    expected: str = ""  # the verdict a shipped claim must get

    def __post_init__(self) -> None:
        _number("claimed.epsilon", self.epsilon, "must be finite and >= 0", lambda x: 0 <= x < math.inf)
        _number("claimed.delta", self.delta, "must be > 0 and < 1", lambda x: 0 < x < 1)
        if all(event.is_no_op() for event in self.ledger.events):
            raise RefDPError("events: nothing was released, so there is no claim to check; list what was run")

    @classmethod
    def from_json(cls, document: dict[str, Any] | str) -> Claim:
        """Read a claim from JSON text (keeping the digits it is written with) or from a dict.

        Raises:
            RefDPError, AccountingError: whatever is missing, unknown or impossible, in one line.
        """
        if isinstance(document, str):
            document = parse_json(document, "claim")
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            found = document.get("schema") if isinstance(document, dict) else type(document).__name__
            raise RefDPError(f"claim schema = {found!r}: must be {SCHEMA!r}; see docs/cli.md for the fields")
        unknown = sorted(set(document) - {*_OWN, *_LEDGER})
        if unknown:
            raise RefDPError(f"claim: unknown field {unknown[0]!r}; known are {', '.join((*_LEDGER, *_OWN))}")
        ledger_document = _ledger_document(document)
        claimed = _claimed(document.get("claimed"))
        return cls(
            Ledger.from_json(ledger_document),
            claimed["epsilon"],
            float(claimed["delta"]),
            _actual(document),
            _run(document.get("run")),
            _rounding(document.get("rounded"), claimed["epsilon"], ledger_document["events"]),
            _text(document, "title"),
            tuple(filter(None, [_text(document, "notes")])),
            _text(document, "expected"),
        )


def _ledger_document(document: dict[str, Any]) -> dict[str, Any]:
    given = {key: document[key] for key in _LEDGER if key in document}
    if "ledger" in document:
        if given:
            raise RefDPError(f"claim: {next(iter(given))!r} stands beside 'ledger'; give one of them")
        inner = document["ledger"]
        if not isinstance(inner, dict):
            raise RefDPError(f"claim: ledger = {inner!r}: must be an object with 'events'")
        inner = {"schema": "refdp-ledger/1", **inner}
    else:
        inner = {"schema": "refdp-ledger/1", **given}
    if not isinstance(inner.get("events"), list):
        raise RefDPError("claim: 'events' must be a list of what was accounted, as in a ledger")
    return inner


def _claimed(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != {"epsilon", "delta"}:
        raise RefDPError(f"claim: claimed = {value!r}: must be an object with 'epsilon' and 'delta'")
    _number("claimed.epsilon", value["epsilon"], "must be finite and >= 0", lambda x: 0 <= x < math.inf)
    _number("claimed.delta", value["delta"], "must be > 0 and < 1", lambda x: 0 < x < 1)
    return value


def _actual(document: dict[str, Any]) -> Actual:
    sampling, events = document.get("actual_sampling"), document.get("actual_events")
    neighboring, steps = document.get("actual_neighboring"), document.get("actual_steps")
    divisor, clipping = document.get("divisor"), document.get("adaptive_clipping")
    if neighboring is not None and neighboring not in NEIGHBORING:
        raise RefDPError(f"actual_neighboring = {neighboring!r}: must be one of {', '.join(NEIGHBORING)}")
    if divisor is not None and divisor not in DIVISORS:
        raise RefDPError(f"divisor = {divisor!r}: must be one of {', '.join(DIVISORS)}")
    if steps is not None:
        _whole("actual_steps", steps, 1)
    if clipping is not None and not isinstance(clipping, dict):
        raise RefDPError(f"adaptive_clipping = {clipping!r}: must be an object with 'count_noise'")
    if clipping is not None and "count_noise" not in clipping:
        raise RefDPError(
            "adaptive_clipping: 'count_noise' is required, the standard deviation of the noise on the count (0: none)"
        )
    if clipping is not None:
        unknown = sorted(set(clipping) - {"mechanism", "count_noise", "sensitivity"})
        if unknown or clipping.get("mechanism", "quantile") != "quantile":
            raise RefDPError(
                f"adaptive_clipping: {unknown[0] if unknown else 'mechanism'!r} is not known; give mechanism "
                "'quantile', count_noise and sensitivity"
            )
        _number(
            "adaptive_clipping.count_noise",
            clipping["count_noise"],
            "must be finite and >= 0",
            lambda x: 0 <= x < math.inf,
        )
    if events is not None and not isinstance(events, list):
        raise RefDPError(f"actual_events = {events!r}: must be a list, as a ledger's events")
    try:
        parsed = None if events is None else tuple(release_from_json(event) for event in events)
        scheme = None if sampling is None else Sampling.from_json(sampling)
    except AccountingError as error:
        raise type(error)(f"what was really run: {error}") from None
    return Actual(scheme, neighboring, parsed, steps, divisor, clipping)


def _run(value: Any) -> Run | None:
    if value is None:
        return None
    needed = {"epochs", "dataset_size", "batch_size"}
    if not isinstance(value, dict) or not needed <= set(value) <= needed | {"drop_last"}:
        raise RefDPError(
            f"run = {value!r}: must be an object with epochs, dataset_size, batch_size, and drop_last if known"
        )
    return Run(**value)


def _rounding(rounded: Any, epsilon: float, events: list[Any]) -> Rounding:
    """Half units; of several events the coarsest. A schedule's scale is its noise multiplier."""
    if rounded is False or rounded == []:
        return Rounding()
    if rounded is not None and rounded is not True:
        bad = [name for name in rounded if name not in ROUNDABLE] if isinstance(rounded, list) else [rounded]
        if bad:
            raise RefDPError(f"rounded = {bad[0]!r}: must be true, false or a list of {', '.join(ROUNDABLE)}")
    names = ROUNDABLE if rounded in (None, True) else tuple(rounded)
    take = may_be_rounded if rounded is None else (lambda value: True)

    def relative(values: list[Any]) -> float:
        known = [v for v in values if isinstance(v, float) and v > 0 and take(v)]
        return max((half_unit(v) / v for v in known), default=0.0)

    noise, rates = [], []
    for event in events:
        if isinstance(event, dict):
            schedule, sampling = event.get("schedule"), event.get("sampling")
            noise.append(event.get("noise_multiplier"))
            noise.append(schedule.get("scale") if isinstance(schedule, dict) else None)
            rates.append(sampling.get("rate") if isinstance(sampling, dict) else None)
    return Rounding(
        half_unit(epsilon) if "epsilon" in names and isinstance(epsilon, float) and take(epsilon) else 0.0,
        relative(noise) if "noise_multiplier" in names else 0.0,
        relative(rates) if "sample_rate" in names else 0.0,
        declared=rounded is not None,
    )


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key, "")
    if not isinstance(value, str):
        raise RefDPError(f"claim: {key} = {value!r}: must be text")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in value):
        raise RefDPError(f"claim: {key} holds a control character or half a surrogate pair; leave it out")
    return value


def _number(name: str, value: Any, rule: str, accept: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefDPError(f"{name} = {value!r}: {rule}")
    try:
        accepted = accept(float(value))
    except OverflowError:
        accepted = False
    if not accepted:
        raise RefDPError(f"{name} = {str(value)[:40]}: {rule}")


def _whole(name: str, value: Any, minimum: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= 10**12:
        raise RefDPError(f"{name} = {value!r}: must be a whole number from {minimum} to {10**12:,}")
