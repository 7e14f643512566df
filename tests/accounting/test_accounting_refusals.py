"""What must be refused, with its message; and that every query of the stated range ends in time."""

from __future__ import annotations

import itertools
import json
import math
import time
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from named_checks import poisson

from refdp.accounting import (
    AccountingError,
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    UnsupportedEventError,
    calibrate_noise_multiplier,
    calibrate_scale,
    delta,
    epsilon,
    rdp_poisson_gaussian,
    rdp_poisson_gaussian_add,
)

NO_NUMBER = [math.nan, True, False, "1", None, [1.0], 1j, np.bool_(True)]
RATE, COUNT, NOISE = "must be in [0, 1]", "must be a whole number from", "must be finite and >= 0"
POSITIVE, OPEN = "must be finite and > 0", "must be > 0 and < 1"
_FULL = Sampling("full-batch")


def _shown(value: Any) -> str:
    return "beyond 1.8e308" if isinstance(value, (int, Fraction)) and abs(value) > 10**300 else repr(value)


def _cases() -> list[tuple[str, Callable[[Any], Any], str, list[Any]]]:
    out_of_rate = [*NO_NUMBER, math.inf, -math.inf, -0.1, 1.0000001, 10**400]
    bad_noise = [*NO_NUMBER, math.inf, -math.inf, -1e-9, -1, 10**400, Fraction(10**400)]
    bad_count = [*NO_NUMBER, math.inf, -1, 2.5, 2.0, Fraction(3), 10**13, np.float64(2)]
    bad_delta = [*NO_NUMBER, math.inf, 0, 0.0, 1, 1.0, 2, -1e-5]
    bad_orders = [*NO_NUMBER[:5], 1j, math.inf, -math.inf, 1.0, 0.5, -2.0, [2.0, 1.0], [2.0, math.nan]]
    bad_orders += ["3", ["3"], [[2.0]], {}, [None], [2.0, "3"], np.array([2 + 1j])]
    one = poisson(0.1, 1.0, 10)
    return [
        ("sampling rate", lambda v: Sampling("poisson", v), RATE, [v for v in out_of_rate if v is not None]),
        (
            "sampling epochs",
            lambda v: Sampling("shuffle", None, v),
            COUNT,
            [v for v in bad_count if v is not None],
        ),
        ("sampling epochs", lambda v: Sampling("fixed-order", None, v), COUNT, [-1, 2.5, 2.0, True, "1"]),
        ("event count", lambda v: GaussianEvent(1.0, _FULL, v), COUNT, bad_count),
        ("noise_multiplier", lambda v: GaussianEvent(v, _FULL), NOISE, bad_noise),
        ("schedule steps", lambda v: Schedule("constant", v), COUNT, [*bad_count, 10**8 + 1]),
        ("schedule scale", lambda v: Schedule("constant", 3, v), NOISE, bad_noise),
        ("amplitude", lambda v: Schedule("cosine", 3, 1.0, {"amplitude": v}), "must be a number", NO_NUMBER),
        (
            "amplitude",
            lambda v: Schedule("cosine", 3, 1.0, {"amplitude": v}),
            "must be > -1 and < 1",
            [1, -1.0],
        ),
        ("amplitude", lambda v: Schedule("cosine", 3, 1.0, {"amplitude": v}), "> -1 and < 1", [math.inf, -9]),
        ("delta", lambda v: epsilon(one, v), OPEN, bad_delta),
        ("epsilon", lambda v: delta(one, v), NOISE, bad_noise),
        ("sample_rate", lambda v: rdp_poisson_gaussian(v, 1.0, 2.0), RATE, out_of_rate),
        ("noise_multiplier", lambda v: rdp_poisson_gaussian(0.1, v, 2.0), NOISE, bad_noise),
        ("orders", lambda v: rdp_poisson_gaussian(0.1, 1.0, v), "must be finite numbers > 1", bad_orders),
        ("sample_rate", lambda v: rdp_poisson_gaussian_add(v, 1.0, 2.0), RATE, out_of_rate),
        ("noise_multiplier", lambda v: rdp_poisson_gaussian_add(0.1, v, 2.0), POSITIVE, [*bad_noise, 0]),
        ("orders", lambda v: rdp_poisson_gaussian_add(0.1, 1.0, v), "must be finite numbers > 1", bad_orders),
        (
            "target_epsilon",
            lambda v: calibrate_noise_multiplier(v, 1e-5, 0.1, 9),
            POSITIVE,
            [*bad_noise, 0, 0.0],
        ),
        ("delta", lambda v: calibrate_noise_multiplier(1.0, v, 0.1, 9), OPEN, bad_delta),
        ("sample_rate", lambda v: calibrate_noise_multiplier(1.0, 1e-5, v, 9), RATE, out_of_rate),
        ("steps", lambda v: calibrate_noise_multiplier(1.0, 1e-5, 0.1, v), COUNT, [*bad_count, 0]),
        ("target_epsilon", lambda v: calibrate_scale(lambda x: one, v, 1e-5), POSITIVE, [*bad_noise, 0]),
        ("neighboring", lambda v: Ledger(v), "must be one of", ["add", None, 1, [], np.array(["a", "b"])]),
        (
            "accountant",
            lambda v: epsilon(one, 1e-5, v),
            "must be one of",
            ["prv", None, 1, [], np.array(["a"])],
        ),
        (
            "sampling",
            lambda v: calibrate_noise_multiplier(1, 1e-5, 1, 1, sampling=v),
            "one of",
            ["shuffle", None],
        ),
        ("schedule", lambda v: Schedule(v, 3), "choose one of", ["wave", None, [], 1]),
        (
            "normalise",
            lambda v: Schedule("constant", 3, normalise=v),
            "must be harmonic",
            ["mean", 1, True, []],
        ),
        (
            "parameters",
            lambda v: Schedule("constant", 3, 1.0, v),
            "must be names and numbers",
            [None, 3, "x"],
        ),
        ("ledger", lambda v: epsilon(v, 1e-5), "must be a Ledger", [None, {}, [], "x"]),
        ("ledger", lambda v: delta(v, 1.0), "must be a Ledger", [None, {}]),
        ("event sampling", lambda v: GaussianEvent(1.0, v), "must be a Sampling", [None, "poisson", {}]),
        ("ledger event", lambda v: Ledger("add-remove", v), "must be a GaussianEvent", [("x",), [None], "x"]),
        ("ledger events", lambda v: Ledger("add-remove", v), "must be GaussianEvents", [3, None]),
    ]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case[0])
def test_bad_arguments(case: tuple[str, Callable[[Any], Any], str, list[Any]]) -> None:
    name, call, rule, values = case
    for value in values:
        with pytest.raises(AccountingError) as caught:
            call(value)
        text = str(caught.value)
        assert name in text, text
        assert rule in text, text
        assert _shown(value) in text or isinstance(value, (list, tuple, str, np.ndarray)), text
        assert "\n" not in text or isinstance(value, np.ndarray)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Sampling("gibbs"), "'gibbs' is not supported: it must be one of poisson"),
        (lambda: Sampling("poisson"), r"scheme poisson: takes rate; got \[\]"),
        (lambda: Sampling("poisson", 0.1, 3), r"takes rate; got \['epochs', 'rate'\]"),
        (lambda: Sampling("full-batch", 0.1), r"takes nothing else; got \['rate'\]"),
        (lambda: Sampling("shuffle"), r"takes epochs; got \[\]"),
        (lambda: Schedule("cosine", 3), "parameter 'amplitude' is required"),
        (lambda: Schedule("constant", 3, 1.0, {"x": 1}), r"unknown parameter 'x' \(it takes none\)"),
        (lambda: GaussianEvent(Schedule("constant", 3), _FULL, 4), "must not exceed the schedule's 3 steps"),
        (
            lambda: GaussianEvent(Schedule("constant", 3), Sampling("shuffle", epochs=1), 3),
            "must be given as one event an epoch",
        ),
        (
            lambda: Ledger("add-remove", (GaussianEvent(1.0, Sampling("shuffle", epochs=1)),)),
            "sampling shuffle with neighboring add-remove is ill-posed",
        ),
        (
            lambda: Ledger("add-remove", (GaussianEvent(1.0, Sampling("fixed-order", epochs=1)),)),
            "sampling fixed-order with neighboring add-remove is ill-posed",
        ),
        (
            lambda: Ledger("replace-one", (GaussianEvent(1.0, Sampling("poisson", 0.5)),), 2),
            "group_size = 2: no pair is proven",
        ),
        (lambda: epsilon(poisson(0.5, 1.0, 3), 1e-5, "gaussian"), "exact only without subsampling"),
        (lambda: delta(poisson(0.5, 1.0, 3), 1.0, "gaussian"), "exact only without subsampling"),
        (lambda: calibrate_noise_multiplier(1.0, 1e-5, 0.0, 10), "sample_rate = 0: nothing is released"),
        (
            lambda: calibrate_noise_multiplier(1.0, 1e-5, 0.5, 10, sampling="full-batch"),
            "must be 1 under sampling full-batch",
        ),
    ],
)
def test_bad_combinations(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(AccountingError, match=message):
        call()


_EVENT = {
    "mechanism": "gaussian",
    "noise_multiplier": 1.0,
    "sampling": {"scheme": "poisson", "rate": 0.1},
    "count": 3,
}


def _text(*events: Any, **changes: Any) -> str:
    return json.dumps(
        {"schema": "refdp-ledger/1", "neighboring": "add-remove", "events": list(events)} | changes
    )


def _event(**changes: Any) -> str:
    event = {k: v for k, v in (_EVENT | changes).items() if v != "drop"}
    return _text(event)


_SCHEDULE = {"kind": "cosine", "steps": 3, "amplitude": 0.5, "scale": 1.0}


def _scheduled(**changes: Any) -> str:
    schedule = {k: v for k, v in (_SCHEDULE | changes).items() if v != "drop"}
    return _event(noise_multiplier="drop", count="drop", schedule=schedule)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "ledger: not JSON"),
        ("{", "ledger: not JSON"),
        ("[" * 100_000, "ledger: not JSON"),
        (_event().replace("1.0", "1" * 5000), "ledger: not JSON"),
        (_event().replace("1.0", "1" * 400), "event 0: noise_multiplier: a number beyond 1.8e308"),
        (_event().replace("1.0", "NaN"), "NaN is not a number that JSON allows"),
        (_event().replace("1.0", "Infinity"), "Infinity is not a number that JSON allows"),
        (_event().replace("1.0", "-Infinity"), "-Infinity is not a number that JSON allows"),
        (_event().replace("1.0", "1e999"), "noise_multiplier = inf: must be finite"),
        (_event().replace('"count": 3', '"count": 3, "count": 1'), "'count' is given twice"),
        (_text()[:-1] + ', "events": []}', "'events' is given twice"),
        ("[]", "schema = 'list'"),
        (None, "schema = 'NoneType'"),
        (b"{}", "schema = 'bytes'"),
        ("{}", "schema = None"),
        (_text(schema="refdp-ledger/2"), "schema = 'refdp-ledger/2': must be 'refdp-ledger/1'"),
        (_text(schema=1), "schema = 1"),
        (_text(neighboring="add"), "neighboring = 'add': must be one of"),
        (_text(neighboring=None), "neighboring = None: must be one of"),
        (_text(note="x"), "ledger: unknown field 'note'"),
        (_text(events={}), "'events' must be a list"),
        (_text(events=None), "'events' must be a list"),
        ('{"schema": "refdp-ledger/1"}', "'events' must be a list"),
        (_text(3), "event 0: event 3: must be an object with a 'mechanism'"),
        (_event(mechanism="drop"), "must be an object with a 'mechanism'"),
        (_event(mechanism="laplace"), "event 0: mechanism 'laplace' is not supported"),
        (_event(mechanism=None), "mechanism None is not supported"),
        (_event(clip=1.0), "gaussian event: unknown field 'clip'"),
        (_event(noise_multiplier="drop"), "give either 'noise_multiplier' or 'schedule'"),
        (_event(schedule=_SCHEDULE), "give either 'noise_multiplier' or 'schedule'"),
        (_event(noise_multiplier="1"), "noise_multiplier = '1': must be finite"),
        (_event(noise_multiplier=True), "noise_multiplier = True: must be finite"),
        (_event(noise_multiplier=-1), "noise_multiplier = -1.0: must be finite and >= 0"),
        (_event(count=2.5), "event count = 2.5: must be a whole number"),
        (_event(count=2.0), "event count = 2.0: must be a whole number"),
        (_event(count=None), "event count = None: must be a whole number"),
        (_event(count=-5), "event count = -5: must be a whole number"),
        (_event(sampling="drop"), "sampling = None: must be an object with a 'scheme'"),
        (_event(sampling="poisson"), "sampling = 'poisson': must be an object"),
        (_event(sampling={"scheme": "gibbs"}), "sampling scheme 'gibbs' is not supported"),
        (_event(sampling={"scheme": []}), r"sampling scheme \[\] is not supported"),
        (_event(sampling={"scheme": "poisson"}), "takes rate"),
        (_event(sampling={"scheme": "poisson", "rate": 2}), "sampling rate = 2: must be in"),
        (
            _event(sampling={"scheme": "poisson", "rate": 0.1, "cap": 3}),
            "sampling poisson: unknown field 'cap'",
        ),
        (_event(sampling={"scheme": "shuffle", "epochs": 1}), "ill-posed"),
        (_scheduled(kind="wave"), "unknown schedule 'wave': choose one of"),
        (_scheduled(kind=[]), r"unknown schedule \[\]"),
        (_scheduled(kind="drop"), "must be an object with 'kind' and 'steps'"),
        (_scheduled(steps="drop"), "must be an object with 'kind' and 'steps'"),
        (_scheduled(steps=2.0), "schedule steps = 2.0"),
        (_scheduled(amplitude="drop"), "parameter 'amplitude' is required"),
        (_scheduled(amplitude="x"), "cosine schedule amplitude = 'x': must be a number"),
        (_scheduled(wave=1), "unknown parameter 'wave'"),
        (_scheduled(normalise="mean"), "normalise = 'mean'"),
        (_scheduled(scale=-1), "schedule scale = -1"),
    ],
)
def test_bad_documents(document: Any, message: str) -> None:
    with pytest.raises(AccountingError, match=message):
        Ledger.from_json(document)


def test_unsupported_is_told_apart() -> None:
    for text in (_event(mechanism="laplace"), _event(sampling={"scheme": "gibbs"}), _event(x=1), _text(x=1)):
        with pytest.raises(UnsupportedEventError):
            Ledger.from_json(text)


def _queries() -> list[tuple[float, float, int, float]]:
    rates, sigmas = (1e-9, 0.16), (0.005, 0.2, 1e6)
    return list(itertools.product(rates, sigmas, (1, 10**9), (1e-5,)))


def test_every_query_ends_in_time() -> None:
    """The stated range: counts up to 1e9, multipliers .005 .. 1e6, rates 1e-9 .. 1 (processor time)."""
    for q, sigma, count, at in _queries():
        start = time.process_time()
        bounds = epsilon(poisson(q, sigma, count), at)
        assert 0 <= bounds.lower <= bounds.upper < math.inf, (q, sigma, count, at)
        assert time.process_time() - start < 10, (q, sigma, count, at)  # a hang, not a benchmark


@pytest.mark.slow
def test_every_query_ends_in_time_everywhere() -> None:
    for q, sigma in itertools.product(np.geomspace(1e-9, 0.999, 5), np.geomspace(0.005, 1e6, 7)):
        for count, at in itertools.product((1, 10**6, 10**9), (1e-300, 1e-5, 0.3)):
            start = time.process_time()
            bounds = epsilon(poisson(float(q), float(sigma), count), at)
            assert 0 <= bounds.lower <= bounds.upper < math.inf, (q, sigma, count, at)
            assert time.process_time() - start < 20, (q, sigma, count, at)


def test_memory_is_bounded() -> None:
    tracemalloc.start()
    try:
        for q, sigma, order in ((1e-9, 1e6, 1e12), (1e-9, 0.005, 7000.5), (0.1, 1.0, 1e5 + 0.5)):
            rdp_poisson_gaussian(q, sigma, order)
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()


def test_orders_of_any_size_and_shape() -> None:
    assert rdp_poisson_gaussian(0.1, 1.0, []).shape == (0,)
    assert rdp_poisson_gaussian(0.1, 1.0, 2).shape == (1,)
    assert rdp_poisson_gaussian(0.1, 1.0, np.array([2, 3], dtype=np.int32)).shape == (2,)
    assert rdp_poisson_gaussian(0.1, 0.005, 1e308)[0] == math.inf
    assert math.isfinite(rdp_poisson_gaussian(0.1, 0.005, 1e200)[0])
    assert rdp_poisson_gaussian(0.1, 0.0, 2.0)[0] == math.inf
    assert rdp_poisson_gaussian(0.0, 0.0, 2.0)[0] == 0.0
