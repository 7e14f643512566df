"""dp_accounting's events: as its library writes them, and as hostile hands do."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from importers_files import check_line, fixture, ledger, poisson, read, refusal, write

from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon
from refdp.audit.importers import dp_events, from_object
from refdp.errors import RefDPError

REAL = fixture("dp-events.json")
FULL = Sampling("full-batch")
JOINED = 1 / math.sqrt(1 / 1.5**2 + 2 / 3.0**2)


def full(multiplier: float) -> Ledger:
    return Ledger(events=(GaussianEvent(multiplier, FULL),))


EXPECTED = {
    "dpsgd": ledger((1.1, 0.01, 1000)),
    "mixed": Ledger("add-remove", (poisson(1.1, 0.01, 500), GaussianEvent(20.0, FULL, 6))),
    "fixed": Ledger(
        "replace-one",
        (GaussianEvent(1.3, Sampling("without-replacement", dataset_size=1000, batch_size=10), 100),),
    ),
    "truncated": Ledger(
        "add-remove",
        (
            GaussianEvent(
                1.1, Sampling("truncated-poisson", rate=0.01, dataset_size=1000, max_batch_size=20), 100
            ),
        ),
    ),
    "nonprivate": Ledger("add-remove", (GaussianEvent(1.0, FULL), GaussianEvent(0.0, FULL))),
}


@pytest.mark.parametrize("form", ["repr", "tuple", "tuple_repr"])
@pytest.mark.parametrize("name", EXPECTED)
def test_real_events(name: str, form: str, tmp_path: Path) -> None:
    found = read(tmp_path, REAL[name][form])
    assert found.format == "dp-event"
    assert found.ledger == EXPECTED[name]
    assert "no neighbouring relation" in found.notes[0]


@pytest.mark.parametrize("form", ["repr", "tuple", "tuple_repr"])
def test_what_has_no_counterpart_is_refused_by_its_name(form: str, tmp_path: Path) -> None:
    assert "LaplaceDpEvent is not supported" in refusal(write(tmp_path, REAL["laplace"][form]))


def test_several_gaussians_on_one_sample_are_one(tmp_path: Path) -> None:
    """Once as the importer joins them, once by hand: never less noise is assumed away than 1e-15 of it."""
    found = read(tmp_path, REAL["joint"]["repr"])
    (event,) = found.ledger.events
    assert JOINED * (1 - 1e-15) <= event.noise <= JOINED  # type: ignore[operator]
    assert (event.sampling, event.count) == (Sampling("poisson", rate=0.02), 200)
    assert any("joined" in note for note in found.notes)
    apart = epsilon(ledger((1.5, 0.02, 200), (3.0, 0.02, 400)), 1e-5)
    assert (apart.upper or 0) < (epsilon(found.ledger, 1e-5).lower or 0), (
        "two draws would be cheaper: not the same"
    )
    line = refusal(write(tmp_path, REAL["joint"]["repr"]), neighboring="replace-one")
    assert "no bound is proven" in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NoOpDpEvent()", Ledger()),
        ("ComposedDpEvent(events=[])", Ledger()),
        ("SelfComposedDpEvent(event=GaussianDpEvent(1.0), count=0)", Ledger()),
        ("PoissonSampledDpEvent(0.5, NoOpDpEvent())", Ledger()),
        ("PoissonSampledDpEvent(256/60000, GaussianDpEvent(1.5))", ledger((1.5, 256 / 60000, 1))),
        ("PoissonSampledDpEvent(0.5, PoissonSampledDpEvent(0.25, GaussianDpEvent(2)))", ledger((2.0, 0.125, 1))),
        ("dp_accounting.dp_event.GaussianDpEvent(noise_multiplier=np.float64(2.0))", full(2.0)),
        ("PoissonSampledDpEvent(1, SelfComposedDpEvent(GaussianDpEvent(0.0), 4))", full(0.0)),
    ],
)  # fmt: skip
def test_forms(text: str, expected: Ledger, tmp_path: Path) -> None:
    assert read(tmp_path, text).ledger == expected


def test_a_rate_of_two_draws_is_never_rounded_down(tmp_path: Path) -> None:
    found = read(
        tmp_path, "PoissonSampledDpEvent(0.1, PoissonSampledDpEvent(0.3, GaussianDpEvent(2)))"
    ).ledger
    (event,) = found.events
    assert event.sampling.rate in (0.1 * 0.3, math.nextafter(0.1 * 0.3, 1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ZCDpEvent(rho=0.5, xi=0.0)", "ZCDpEvent is not supported"),
        ("SampledWithReplacementDpEvent(10, 2, GaussianDpEvent(1))", "SampledWithReplacementDpEvent"),
        ("SingleEpochTreeAggregationDpEvent(1.0, 3)", "tree aggregation"),
        ("RepeatAndSelectDpEvent(GaussianDpEvent(1), 2.0, 1.0)", "RepeatAndSelectDpEvent"),
        ("MixtureOfGaussiansDpEvent(1.0, [0, 1], [0.5, 0.5])", "MixtureOfGaussiansDpEvent"),
        ("UnsupportedDpEvent()", "UnsupportedDpEvent"),
        ("MyOwnDpEvent(3)", "MyOwnDpEvent"),
        ("PoissonSampledDpEvent(0.1, LaplaceDpEvent(1.0))", "LaplaceDpEvent"),
        ("PoissonSampledDpEvent(0.1, TruncatedSubsampledGaussianDpEvent(9, 0.1, 3, 1.0))", "no bound"),
        ("PoissonSampledDpEvent(0.1, SelfComposedDpEvent(PoissonSampledDpEvent(0.1, GaussianDpEvent(1)), 2))", "only"),
        ("SampledWithoutReplacementDpEvent(9, 3, SelfComposedDpEvent(GaussianDpEvent(1), 2))", "no bound"),
        ("SampledWithoutReplacementDpEvent(9, 10, GaussianDpEvent(1))", "must not exceed"),
        ("GaussianDpEvent(noise_multiplier=nan)", "noise_multiplier = nan"),
        ("GaussianDpEvent(noise_multiplier=-inf)", "noise_multiplier = -inf"),
        ("GaussianDpEvent(noise_multiplier=True)", "noise_multiplier = True"),
        ("GaussianDpEvent()", "takes noise_multiplier"),
        ("GaussianDpEvent(1.0, 2.0)", "2 arguments"),
        ("GaussianDpEvent(1.0, noise_multiplier=1.0)", "GaussianDpEvent"),
        ("GaussianDpEvent(std=1.0)", "takes noise_multiplier"),
        ("GaussianDpEvent(noise_multiplier=1.0, noise_multiplier=2.0)", "twice"),
        ("PoissonSampledDpEvent(1.5, GaussianDpEvent(1))", "sampling_probability = 1.5"),
        ("SelfComposedDpEvent(GaussianDpEvent(1), 2.5)", "count = 2.5"),
        ("SelfComposedDpEvent(GaussianDpEvent(1), -2)", "count = -2"),
        ("SelfComposedDpEvent(SelfComposedDpEvent(GaussianDpEvent(1), 10000000), 10000000)", "composed count"),
        ("SelfComposedDpEvent(GaussianDpEvent, 2)", "the class itself"),
        ("ComposedDpEvent(events=3)", "must be a list"),
        ("GaussianDpEvent(1.0", "the text ends"),
        ("GaussianDpEvent(1.0) + 1", "where the end was expected"),
        ("GaussianDpEvent(__import__('os').system('x'))", "was not understood"),
        ("GaussianDpEvent(1/0)", "divide"),
        ("[GaussianDpEvent(x) for x in (1, 2)]", "expected"),
        ("SelfComposedDpEvent(" * 200, "nested deeper"),
        ('{"event": {"noise_multiplier": 1.0}, "count": 3}', "without its class names"),
        ('["dp_accounting.dp_event", "GaussianDpEvent"]', "takes noise_multiplier"),
        ('{"class_name": "GaussianDpEvent", "noise_multiplier": "1"}', "noise_multiplier = '1'"),
    ],
    ids=lambda value: value[:50],
)  # fmt: skip
def test_refusals(text: str, says: str, tmp_path: Path) -> None:
    assert says in refusal(write(tmp_path, text))


class DpEvent:
    """The base class of dp_accounting's, from outside."""


class GaussianDpEvent(DpEvent):
    def __init__(self, noise_multiplier: Any) -> None:
        self.noise_multiplier = noise_multiplier


class ComposedDpEvent(DpEvent):
    def __init__(self, events: list[Any]) -> None:
        self.events = events


class PoissonSampledDpEvent(DpEvent):
    def __init__(self, sampling_probability: float, event: Any) -> None:
        self.sampling_probability = sampling_probability
        self.event = event


class Tuple(NamedTuple):
    module_name: str
    class_name: str
    noise_multiplier: float


def test_objects() -> None:
    assert from_object(PoissonSampledDpEvent(0.5, GaussianDpEvent(2))).ledger == ledger((2.0, 0.5, 1))
    assert from_object(Tuple("m", "GaussianDpEvent", 2.0)).ledger.events == (GaussianEvent(2.0, FULL),)


def test_an_accountant_says_its_relation() -> None:
    from types import SimpleNamespace

    class PrivacyAccountant:
        ledger = GaussianDpEvent(2.0)
        neighboring_relation = SimpleNamespace(name="REPLACE_SPECIAL")

    found = from_object(PrivacyAccountant())
    assert found.ledger.neighboring == "zero-out"
    assert found.notes == ()


def test_an_event_of_itself_and_a_doubling_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dp_events, "MOST_NODES", 20_000)
    again = ComposedDpEvent([])
    again.events.append(again)
    doubled: Any = GaussianDpEvent(1.0)
    for _ in range(60):
        doubled = ComposedDpEvent([doubled, doubled])
    deep: Any = GaussianDpEvent(1.0)
    for _ in range(3000):
        deep = PoissonSampledDpEvent(1.0, deep)
    for event in (again, doubled, deep):
        with pytest.raises(RefDPError) as caught:
            from_object(event)
        check_line(str(caught.value))


EVENTS = st.recursive(
    st.builds(lambda s: f"GaussianDpEvent(noise_multiplier={s!r})", st.floats(0.5, 50)),
    lambda inner: (
        st.builds(lambda e, n: f"SelfComposedDpEvent(event={e}, count={n})", inner, st.integers(0, 20))
        | st.builds(lambda es: f"ComposedDpEvent(events=[{', '.join(es)}])", st.lists(inner, max_size=3))
    ),
    max_leaves=6,
)


@given(EVENTS)
def test_the_cost_of_a_composition_is_that_of_its_gaussians(text: str) -> None:
    """Unsampled Gaussians compose to one of 1/s^2 summed: added up here by another route."""
    from refdp.audit.importers.formats.dp_event import imported
    from refdp.audit.importers.pytext import parse_python

    def total(value: Any) -> float:
        fields = value.fields
        if value.name == "GaussianDpEvent":
            return float(fields["noise_multiplier"] ** -2)
        if value.name == "SelfComposedDpEvent":
            return float(fields["count"] * total(fields["event"]))
        return math.fsum(total(event) for event in fields["events"])

    parsed = parse_python(text)
    found = imported(parsed, None).ledger
    assert math.fsum(e.count / e.noise**2 for e in found.events) == pytest.approx(total(parsed))  # type: ignore[operator]


def test_json_of_the_fixture_is_json() -> None:
    assert json.dumps(REAL)
