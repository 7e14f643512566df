"""Certificates: proved in balls, accepted by an independent checker, refused once anything in them is changed."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("flint", reason="certificates need python-flint: pip install 'refdp[certify]'")

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    QuantileEvent,
    Sampling,
    Schedule,
    epsilon,
    rdp_poisson_gaussian,
)
from refdp.accounting.certificate import certify, certify_rdp, check
from refdp.schema import check_schema


def _poisson(rate: float, sigma: float, steps: int) -> Ledger:
    return Ledger("add-remove", (GaussianEvent(sigma, Sampling("poisson", rate=rate), steps),))


def _read(document: dict[str, Any]) -> dict[str, Any]:
    """Through JSON, as a checker gets it."""
    return json.loads(json.dumps(document, allow_nan=False))


MNIST = _poisson(256 / 60000, 1.3, 3600)

# (rate, noise multiplier, steps, delta): brackets of the truth, from a convex-order enclosure on a grid
ROWS = {
    "mnist_tfp_1": (0.004166666666666667, 1.3, 3600, 1e-5, 0.8529791891208658, 0.8529797774528041),
    "cifar_opacus": (0.01024, 1.5, 9765, 1e-5, 3.2292088605140017, 3.229214581198851),
    "imagenet_16k": (0.012788340630066182, 2.5, 18000, 8e-7, 3.4031594985268687, 3.403170534646367),
    "llm_e2e": (0.024345593304961843, 0.9, 410, 1e-5, 3.925277074142026, 3.9252776416517228),
    "sigma_2": (0.02, 2.0, 2500, 1e-5, 2.1844615687811935, 2.1844627657375004),
    "s4_1.61_q2048": (0.04096, 1.61, 610, 1e-5, 3.0354372160224687, 3.035437740507405),
    "cifar_de_eps1": (0.08192, 10.0, 875, 1e-5, 0.9027601893708868, 0.9027607036613845),
    "s0_mnist_printed": (0.004266666666666667, 0.2385, 1170, 1e-5, 86.2063619976225, 86.22522928514003),
    "one_step_q01": (0.1, 1.0, 1, 1e-5, 1.6845438124419712, 1.6845438252938292),
    "q1e-4_T1e6": (1e-4, 1.0, 1_000_000, 1e-8, 0.535588680225936, 0.6582716711427803),
    "fed_gboard": (0.0021666666666666666, 7.0, 2000, 1e-10, 0.07537357485680204, 0.07537393486604205),
}
TIGHT = ["rdp.upper", "pld.lower", "pld.upper", "unsampled.upper"]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_composed_rows_are_certified_and_accepted(name: str) -> None:
    rate, sigma, steps, delta, low, high = ROWS[name]
    ledger = _poisson(rate, sigma, steps)
    start = time.perf_counter()
    document = _read(certify(ledger, delta))
    verdict = check(document)
    assert time.perf_counter() - start < 60
    assert verdict.accepted, verdict.reasons
    assert document["certified"] == list(verdict.certified) == TIGHT
    check_schema("certificate", document, "certificate")
    proved, answer = document["epsilon"], epsilon(ledger, delta)
    assert low <= proved["upper"] * (1 + 1e-9)
    assert proved["lower"] <= high * (1 + 1e-9)
    assert proved["upper"] == pytest.approx(answer.upper, rel=1e-6)
    assert proved["lower"] == pytest.approx(answer.lower, rel=1e-6)
    assert proved["lower"] <= proved["upper"]


def _cells() -> list[tuple[float, float, float]]:
    orders = [1.01, 1.1, 1.5, 2.0, 2.5, 3.3, 8.0, 32.0, 64.0, 256.0, 1024.0]
    rates = [1e-5, 1e-4, 0.00427, 0.01, 0.1, 0.16, 0.5, 1.0]
    sigmas = [0.2385, 0.3, 0.5, 0.7, 1.0, 1.61, 2.88, 5.0, 10.0, 50.0]
    return [(q, s, a) for q in rates for s in sigmas for a in orders]


def _check_cells(cells: list[tuple[float, float, float]]) -> None:
    for q, sigma, order in cells:
        document = _read(certify_rdp(q, sigma, order))
        verdict = check(document)
        assert verdict.accepted, (q, sigma, order, verdict.reasons)
        assert document["value"] == float(rdp_poisson_gaussian(q, sigma, order)[0])
        assert document["exceeds"] < 1e-9, (q, sigma, order)
        for direction in ("remove", "add"):
            lower, upper = document[direction]["rdp"]
            assert lower <= upper <= lower * (1 + 1e-12) + 1e-300, (q, sigma, order)


def test_one_step_rdp_is_certified_in_a_sample_of_cells() -> None:
    _check_cells(_cells()[3::37])


@pytest.mark.slow
def test_one_step_rdp_is_certified_in_all_cells() -> None:
    _check_cells(_cells())


@pytest.mark.parametrize(
    ("q", "sigma", "order"), [(0.0, 1.0, 2.0), (1.0, 2.0, 3.5), (1e-9, 30.0, 1.0001), (0.5, 1e4, 1.5)]
)
def test_one_step_rdp_at_the_rims(q: float, sigma: float, order: float) -> None:
    _check_cells([(q, sigma, order)])


def test_one_step_rdp_agrees_with_the_oracle() -> None:
    oracle = pytest.importorskip("oracle", reason="needs python-flint", exc_type=ImportError)
    for q, sigma, order in [(0.01, 1.1, 2.5), (0.16, 0.3, 1.01), (1e-5, 0.2385, 32.0)]:
        document = certify_rdp(q, sigma, order)
        for name, direction in (("remove", 1), ("add", -1)):
            low, high = oracle.rdp_ball(q, sigma, order, direction)
            lower, upper = document[name]["rdp"]
            assert lower <= high * (1 + 1e-15)
            assert low <= upper * (1 + 1e-15)


def test_the_rdp_checker_refuses_what_is_not_true() -> None:
    document = _read(certify_rdp(0.01, 1.1, 2.5))
    for field, value, reason in [
        ("value", document["value"] * (1 - 1e-9), "below the remove direction"),
        ("exceeds", 0.0, "exceeds"),
        ("sample_rate", 0.0101, "remove: rdp"),
        ("noise_multiplier", 1.11, "remove: rdp"),
        ("order", 2.6, "remove: rdp"),
        ("order", 0.5, "order > 1"),
        ("certified", ["rdp.value", "pld.upper"], "certified"),
        ("value", "0.1", "must be a number"),
        ("value", math.nan, "must be finite"),
    ]:
        verdict = check({**document, field: value})
        assert not verdict.accepted, (field, value)
        assert reason in verdict.reasons[0], verdict.reasons
    assert "add: rdp" in check({**document, "add": document["remove"]}).reasons[0]


P = Sampling("poisson", rate=0.01)
LEDGERS = {
    "empty": Ledger(),
    "rate 0": _poisson(0.0, 1.0, 10),
    "full batch": Ledger("add-remove", (GaussianEvent(10.0, Sampling("full-batch"), 100),)),
    "fixed order": Ledger("replace-one", (GaussianEvent(5.0, Sampling("fixed-order", epochs=3)),)),
    "shuffle": Ledger("zero-out", (GaussianEvent(5.0, Sampling("shuffle", epochs=3)),)),
    "mixed": Ledger(
        "add-remove", (GaussianEvent(1.0, P, 1000), GaussianEvent(20.0, Sampling("full-batch"), 9))
    ),
    "with shuffle": Ledger(
        "zero-out", (GaussianEvent(1.0, P, 500), GaussianEvent(9.0, Sampling("shuffle", epochs=3)))
    ),
    "two rates": Ledger(
        "add-remove", (GaussianEvent(1.0, P, 300), GaussianEvent(0.8, Sampling("poisson", rate=0.02), 50))
    ),
    "replace-one": Ledger("replace-one", (GaussianEvent(1.5, P, 1000),)),
    "group": Ledger("add-remove", (GaussianEvent(3.0, P, 1000),), 3),
    "quantile": Ledger("add-remove", (QuantileEvent(1.2, P, 500, count_noise=10.0),)),
    "schedule": Ledger(
        "add-remove",
        (GaussianEvent(Schedule("cosine", 12, 2.0, {"amplitude": 0.5}), Sampling("poisson", rate=0.2), 12),),
    ),
    "many steps": Ledger("add-remove", (GaussianEvent(300.0, Sampling("poisson", rate=0.001), 10**9),)),
    "epsilon 0": _poisson(0.5, 1e6, 100),
}


@pytest.mark.parametrize("name", sorted(LEDGERS))
@pytest.mark.parametrize("delta", [1e-5, 0.1])
def test_every_kind_of_ledger(name: str, delta: float) -> None:
    document = _read(certify(LEDGERS[name], delta))
    verdict = check(document)
    assert verdict.accepted, verdict.reasons
    check_schema("certificate", document, "certificate")
    answer = epsilon(LEDGERS[name], delta)
    assert document["epsilon"]["upper"] == pytest.approx(answer.upper, rel=1e-9)
    if answer.lower is not None:
        assert document["epsilon"]["lower"] == pytest.approx(answer.lower, rel=1e-9)


@pytest.mark.parametrize("scheme", ["without-replacement", "truncated", "no noise"])
def test_what_is_not_certified_is_said(scheme: str) -> None:
    ledger = {
        "without-replacement": Ledger(
            "replace-one",
            (GaussianEvent(1.5, Sampling("without-replacement", dataset_size=1000, batch_size=10), 100),),
        ),
        "truncated": Ledger(
            "add-remove",
            (
                GaussianEvent(
                    1.5, Sampling("truncated-poisson", rate=0.01, dataset_size=1000, max_batch_size=15), 100
                ),
            ),
        ),
        "no noise": _poisson(0.1, 0.0, 10),
    }[scheme]
    document = _read(certify(ledger, 1e-5))
    left = {entry["part"]: entry["reason"] for entry in document["not_certified"]}
    assert {"rdp.upper", "pld.upper"} <= left.keys()
    assert not {"rdp.upper", "pld.upper"} & set(document["certified"])
    assert check(document).accepted


def test_grouped_multipliers_are_wider_and_still_proved() -> None:
    ledger = LEDGERS["schedule"]
    fine, coarse = (certify(ledger, 1e-5, lines=lines) for lines in (40, 8))
    assert (
        coarse["epsilon"]["lower"]
        < fine["epsilon"]["lower"]
        < fine["epsilon"]["upper"]
        < coarse["epsilon"]["upper"]
    )
    assert len(coarse["contours"][0]["lines"]) <= 8
    assert check(_read(coarse)).accepted


def _contour(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        document["contours"][0][name] = change(document["contours"][0][name])

    return apply


def _line(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        line = document["contours"][0]["lines"][0]
        line[name] = change(line[name])

    return apply


def _part(part: str, name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        document["parts"][part][name] = change(document["parts"][part][name])
        uppers = [value["epsilon"] for key, value in document["parts"].items() if key.endswith("upper")]
        document["epsilon"] = {"lower": document["parts"]["pld.lower"]["epsilon"], "upper": min(uppers)}

    return apply


def _event(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        event = document["ledger"]["events"][0]
        (event["sampling"] if name == "rate" else event)[name] = value

    return apply


def _swap(document: dict[str, Any]) -> None:
    low, high = (document["parts"][name]["epsilon"] for name in ("pld.lower", "pld.upper"))
    _part("pld.lower", "epsilon", lambda _: high)(document)
    _part("pld.upper", "epsilon", lambda _: low)(document)


def _delta(document: dict[str, Any]) -> None:
    document["delta"] = 0.9e-5
    for name in ("pld.lower", "pld.upper"):
        document["parts"][name]["delta"] = 0.9e-5


def _top(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        document[name] = value

    return apply


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.pop(name)


def _drop_part(document: dict[str, Any]) -> None:
    del document["parts"]["rdp.upper"]


def _drop_direction(document: dict[str, Any]) -> None:
    document["parts"]["pld.upper"]["proofs"].pop()


def _repeat_direction(document: dict[str, Any]) -> None:
    proofs = document["parts"]["pld.upper"]["proofs"]
    proofs[1] = copy.deepcopy(proofs[0])


def _more_lines(document: dict[str, Any]) -> None:
    document["contours"][0]["lines"].append(copy.deepcopy(document["contours"][0]["lines"][0]))


def _unused(document: dict[str, Any]) -> None:
    document["contours"].append(copy.deepcopy(document["contours"][0]))


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "count": (_event("count", 3601), "ledger has 3601|rdp"),
    "rate": (_event("rate", 0.00427), "rdp"),
    "noise multiplier": (_event("noise_multiplier", 1.31), "rdp"),
    "neighboring": (lambda d: d["ledger"].update(neighboring="replace-one"), "rdp|proofs"),
    "unknown event": (_event("mechanism", "laplace"), "laplace"),
    "negative count": (_event("count", -1), "count"),
    "delta": (_delta, "epsilon|proved"),
    "delta of one part": (_part("pld.upper", "delta", lambda x: 2 * x), "must be the certificate's"),
    "delta 0": (_top("delta", 0), "delta"),
    "delta as text": (_top("delta", "1e-5"), "must be a number"),
    "delta NaN": (_top("delta", math.nan), "must be finite"),
    "tighter upper": (_part("pld.upper", "epsilon", lambda x: x * (1 - 1e-6)), "at most"),
    "tighter lower": (_part("pld.lower", "epsilon", lambda x: x * (1 + 1e-6)), "at least"),
    "swapped": (_swap, "at most|at least"),
    "tighter rdp": (_part("rdp.upper", "epsilon", lambda x: x * (1 - 1e-9)), "balle2020 gives"),
    "infinite upper": (_part("pld.upper", "epsilon", lambda _: math.inf), "must be finite"),
    "boolean epsilon": (_part("pld.upper", "epsilon", lambda _: True), "must be a number"),
    "order": (_part("rdp.upper", "order", lambda x: x + 1), "rdp"),
    "order 1": (_part("rdp.upper", "order", lambda _: 1), "must be > 1"),
    "conversion": (_part("rdp.upper", "conversion", lambda _: "mironov2017"), "mironov2017 gives"),
    "unknown conversion": (_part("rdp.upper", "conversion", lambda _: "gdp"), "not known"),
    "tilt": (_contour("tilt", lambda x: 0.9 * x), "log_top"),
    "negative tilt": (_contour("tilt", lambda x: -x), "tilt > 0"),
    "guard below tilt": (_contour("guard", lambda x: 0.1 * x), "guard > tilt"),
    "guard": (_contour("guard", lambda x: 1.01 * x), "log_guard"),
    "wide step": (_contour("step", lambda x: 4 * x), "at least|sum_over_delta"),
    "narrow step": (_contour("step", lambda x: x / 4), "the rest may be|at most"),
    "few terms": (_contour("terms", lambda _: 5), "the rest may be|at most"),
    "no terms": (_contour("terms", lambda _: 0), "terms"),
    "fractional terms": (_contour("terms", lambda x: x + 0.5), "whole number"),
    "line noise": (_line("noise_multiplier", lambda _: 1.4), "log_top|stands for"),
    "less noise": (_line("noise_multiplier", lambda _: 1.2), "log_top|stands for"),
    "line count": (_line("count", lambda x: x - 1), "the ledger has"),
    "decay height": (_line("decay_height", lambda _: 100.0), "outside the strip"),
    "decay height 0": (_line("decay_height", lambda _: 0), "outside the strip"),
    "more lines": (_more_lines, "the ledger has"),
    "unused contour": (_unused, "no claim uses it"),
    "missing direction": (_drop_direction, "must be of"),
    "direction twice": (_repeat_direction, "must be of"),
    "part gone": (_drop_part, "certified"),
    "part claimed": (_top("certified", [*TIGHT, "gaussian.upper"]), "certified"),
    "part not listed": (_top("certified", TIGHT[:-1]), "certified"),
    "epsilon": (_top("epsilon", {"lower": 0.5, "upper": 0.6}), "the parts give"),
    "claimed too low": (_top("claimed", {"lower": 0.1, "upper": 0.2}), "below the lower bound"),
    "claimed too high": (_top("claimed", {"lower": 2.0, "upper": 3.0}), "above the upper bound"),
    "missing field": (_without("contours"), "missing"),
    "unknown field": (_top("trusted", True), "unknown field"),
    "another schema": (_top("schema", "refdp-certificate/2"), "schema"),
    "another kind": (_top("kind", "delta"), "kind"),
    "ledger gone": (_top("ledger", None), "ledger"),
}


@pytest.fixture(scope="module")
def genuine() -> dict[str, Any]:
    return _read(certify(MNIST, 1e-5))


@pytest.mark.parametrize("name", list(TAMPERED))
def test_a_tampered_certificate_is_refused_with_its_reason(name: str, genuine: dict[str, Any]) -> None:
    change, reasons = TAMPERED[name]
    document = copy.deepcopy(genuine)
    change(document)
    verdict = check(document)
    assert not verdict.accepted
    assert any(reason in verdict.reasons[0] for reason in reasons.split("|")), verdict.reasons


def test_a_looser_claim_is_still_true(genuine: dict[str, Any]) -> None:
    document = copy.deepcopy(genuine)
    claim = document["parts"]["pld.upper"]
    claim["proofs"] = [dict(proof) for proof in claim["proofs"]]
    assert check(document).accepted
    document["contours"][0]["lines"][0]["decay_height"] *= 1.0001  # another valid parameter
    assert check(document).accepted


def test_multipliers_must_stand_on_the_right_side() -> None:
    from refdp.accounting.certificate.check_sum import covers
    from refdp.accounting.certificate.statement import read

    steps = read(Ledger("add-remove", (GaussianEvent(1.0, P, 30), GaussianEvent(1.2, P, 10)))).dominating

    def lines(*pairs: tuple[float, int]) -> list[dict[str, Any]]:
        return [{"kind": 0, "noise_multiplier": value, "count": count} for value, count in pairs]

    for good in (
        lines((1.0, 30), (1.2, 10)),
        lines((1.2, 10), (1.0, 30)),
        lines((1.0, 40)),
        lines((0.9, 5), (1.0, 35)),
    ):
        covers("here", good, steps, above=True)
    for good in (lines((1.0, 30), (1.2, 10)), lines((1.2, 40)), lines((1.0, 29), (1.2, 11))):
        covers("here", good, steps, above=False)
    for bad in (lines((1.0, 29), (1.2, 11)), lines((1.0, 39)), lines((1.0, 41)), lines(), lines((1.2, 40))):
        with pytest.raises(AccountingError):
            covers("here", bad, steps, above=True)
    for bad in (lines((1.0, 31), (1.2, 9)), lines((1.2, 41)), lines((1.0, 40))):
        with pytest.raises(AccountingError):
            covers("here", bad, steps, above=False)


@pytest.mark.parametrize("document", [None, 3, "text", [], {}, {"schema": "refdp-certificate/1"}])
def test_no_document_makes_the_checker_raise(document: Any) -> None:
    assert not check(document).accepted


def test_bad_questions_are_refused() -> None:
    for delta in (0, 1, math.nan, "1e-5"):
        with pytest.raises(AccountingError, match="delta"):
            certify(MNIST, delta)  # type: ignore[arg-type]
    for arguments in ((2.0, 1.0, 2.0), (0.1, -1.0, 2.0), (0.1, 1.0, 1.0), (0.1, math.nan, 2.0)):
        with pytest.raises(AccountingError):
            certify_rdp(*arguments)


def test_balls_are_loaded_only_when_asked_for() -> None:
    code = (
        "import sys; sys.modules['flint'] = None\n"
        "from refdp.accounting import AccountingError, Ledger\n"
        "from refdp.accounting.certificate import certify\n"
        "try:\n    certify(Ledger(), 1e-5)\nexcept AccountingError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "refdp[certify]" in done.stdout
