"""The report on scores: a verdict by the declared estimator alone, figures to the safe side, a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np
import pytest

import refdp.audit.report.row as row_module
import refdp.audit.report.table as table_module
from refdp.audit.estimators import Design, Estimate
from refdp.audit.power import Power, Sizes
from refdp.audit.report import Report, Theory, as_text, check_target, draw, refuse_no_bound, report
from refdp.audit.report.text import table
from refdp.audit.report.words import rough
from refdp.audit.scores import Scores
from refdp.errors import RefDPError
from refdp.files import dumps
from refdp.registry import Registry
from refdp.schema import check_schema

DESIGN = Design(1e-5)
SCORES = Scores(np.arange(60.0) + 20, np.arange(60.0))
ANSWERS: dict[str, tuple[float | None, float | None]] = {}


@dataclass(frozen=True)
class Told:
    """An estimator that answers what the test says."""

    source: ClassVar[str] = "the test"
    name: ClassVar[str] = ""

    def estimate(self, scores: Scores, design: Design) -> Estimate:
        epsilon, ceiling = ANSWERS[self.name]
        refused = "too few canaries" if epsilon is None else None
        return Estimate(self.name, epsilon, ceiling, refused, ("mu-GDP",) if self.name == "third" else ())


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[Any] = Registry("estimator", "refdp.audit.report")
    registry._loaded = True
    for name in ("first", "second", "third"):
        registry.register(name)(type(name, (Told,), {"name": name}))

    def power(
        name: str, sizes: Sizes, design: Design, claim: float = 0.0, leak: float | None = None
    ) -> Power:
        ceiling = ANSWERS[name][1]
        least = None if ceiling is None or ceiling <= claim else claim + 1.2345
        expected = None if leak is None or ceiling is None else max(leak - 0.5, 0.0)
        return Power(name, sizes.canaries, sizes.runs, claim, ceiling, leak, expected, least, 0.8)

    def larger(name: str, sizes: Sizes, design: Design, claim: float = 0.0, **_: Any) -> tuple[Power, ...]:
        return tuple(power(name, sizes.times(factor), design, claim) for factor in (4, 16))

    for module in (row_module, table_module):
        monkeypatch.setattr(module, "estimators", registry)
    monkeypatch.setattr(row_module, "power", power)
    monkeypatch.setattr(row_module, "larger", larger)
    monkeypatch.setattr(table_module, "canaries_needed", lambda *_: 150)
    ANSWERS.update(first=(3.41, 9.0), second=(5.0, 9.0), third=(None, None))


def made(
    by: str = "first", claimed: float | None = 4.0, theory: Theory | None = None, quick: bool = False
) -> Report:
    found = report(SCORES, DESIGN, theory or Theory(), claimed, by, quick)
    check_schema("audit-scores", json.loads(dumps(found.to_json())), "report")
    return found


def test_the_verdict_goes_by_the_declared_estimator_alone() -> None:
    assert (made("first").verdict, made("first").exit_code) == ("not refuted", 0)
    assert (made("second").verdict, made("second").exit_code) == ("refuted", 3)
    ANSWERS.update(second=(1e9, 1e9), third=(1e9, 1e9))
    assert made("first").verdict == "not refuted"
    ANSWERS.update(first=(4.1, 9.0), second=(0.0, 9.0), third=(None, None))
    assert made("first").verdict == "refuted"


@pytest.mark.parametrize(
    ("bound", "ceiling", "claimed", "verdict"),
    [
        (4.0, 9.0, 4.0, "not refuted"),
        (np.nextafter(4.0, 5), 9.0, 4.0, "refuted"),  # as a number, not as printed
        (0.0, 4.0, 4.0, "cannot refute"),
        (0.0, np.nextafter(4.0, 5), 4.0, "not refuted"),
        (0.0, 0.5, 0.0, "not refuted"),
        (float("inf"), float("inf"), 1e9, "refuted"),
        (3.0, 9.0, None, None),
        (None, None, 4.0, "no bound"),
        (None, None, None, "no bound"),
    ],
)
def test_verdicts(
    bound: float | None, ceiling: float | None, claimed: float | None, verdict: str | None
) -> None:
    ANSWERS["first"] = (bound, ceiling)
    found = made(claimed=claimed)
    assert found.verdict == verdict
    assert found.exit_code == {"refuted": 3, "no bound": 2}.get(verdict or "", 0)
    if verdict == "no bound":
        with pytest.raises(RefDPError, match="--estimator first: allows no bound on these scores: too few"):
            refuse_no_bound(found)
    else:
        refuse_no_bound(found)


def last(found: Report) -> str:
    return as_text(found).splitlines()[-1]


def test_words() -> None:
    assert last(made()) == (
        "not refuted: the bound by first is 3.41 <= 4; a Gaussian leak of 5.24 or more, scored as well as can be, "
        "would have been refuted in 4 of 5 such experiments"
    )
    assert last(made(quick=True)) == "not refuted: the bound by first is 3.41 <= 4"
    assert last(made("second")).startswith(
        "REFUTED: epsilon is at least 5 at delta 1e-05 with confidence 95 %, by second"
    )
    ANSWERS["first"] = (1.0, 2.78)
    assert last(made(claimed=3)) == (
        "cannot refute 3 whatever leaks: with 120 canaries no bound by first exceeds 2.78; it takes 150 canaries or "
        "more"
    )
    assert last(made(claimed=None)).startswith("epsilon is at least 1 at delta")
    ANSWERS["first"] = (0.0, 2.78)
    assert last(made(claimed=None)).startswith("no leak is shown by first")


def test_the_table() -> None:
    ANSWERS["second"] = (0.0, 3.5)
    rows = table(made(theory=Theory(3.0, 3.75)))
    assert rows[0] == ["estimator", "epsilon >=", "ceiling", "expected at 3.75", "refutes 4 from", "4 x canaries",
                       "16 x canaries"]  # fmt: skip
    assert rows[1] == ["first *", "3.41", "9", "3.25", "5.24", "5.24", "5.24"]
    assert rows[2] == ["second", "0", "3.5", "3.25", *["never: ceiling"] * 3]
    assert rows[3] == ["third", "refused: too few canaries"]
    assert "theory: 3 <= epsilon <= 3.75" in as_text(made(theory=Theory(3.0, 3.75)))
    assert "the largest of 3 does not" in as_text(made())


def test_bounds_round_down_and_ceilings_up() -> None:
    ANSWERS["first"] = (1.23456789, 2.34567812)
    cells = table(made(theory=Theory(1.00000199, 1.99999901)))[1]
    assert cells[1:3] == ["1.23456", "2.34568"]
    assert "theory: 1 <= epsilon <= 2" in as_text(made(theory=Theory(1.00000199, 1.99999901)))
    assert (rough(5.2001), rough(123.4), rough(0.0010001)) == ("5.21", "124", "0.00101")
    ANSWERS["first"] = (0.99999999, 2.34567812)
    assert table(made())[1][1] == "0.999999"


def test_notes() -> None:
    ANSWERS["third"] = (2.0, 9.0)
    notes = " ".join(made("second", theory=Theory(upper=4.5, full_participation=False)).notes)
    assert "second's bound exceeds the theoretical upper epsilon" in notes
    assert "third: assumes mu-GDP, but batches were subsampled" in notes
    assert made("first", theory=Theory(upper=4.5, full_participation=True)).notes == ()
    turned = replace(SCORES, planted=SCORES.left_out, left_out=SCORES.planted)
    assert "score lower" in report(turned, DESIGN, Theory(), 4.0, "first").notes[0]


def test_bad_questions() -> None:
    for claimed in (-1.0, float("inf"), float("nan")):
        with pytest.raises(RefDPError, match="claimed = "):
            report(SCORES, DESIGN, Theory(), claimed, "first")
    with pytest.raises(RefDPError, match="unknown estimator 'best'"):
        report(SCORES, DESIGN, Theory(), 4.0, "best")
    with pytest.raises(RefDPError, match="canaries"):
        report(Scores(np.zeros(0), np.zeros(0)), DESIGN, Theory(), 4.0, "first")
    with pytest.raises(RefDPError, match="must not exceed"):
        Theory(2.0, 1.0)
    with pytest.raises(RefDPError, match="must be >= 0"):
        Theory(float("nan"))


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_pictures(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"audit.{kind}"
    draw(made(theory=Theory(3.0, float("inf"))), path)
    assert path.stat().st_size > 3000
    if kind == "svg":
        first = path.read_bytes()
        draw(made(theory=Theory(3.0, float("inf"))), path)
        assert path.read_bytes() == first
        text = " ".join(ElementTree.parse(path).getroot().itertext())
        for said in (
            "first *",
            "refused: too few canaries",
            "claimed: 4",
            "3.41  (from 5.24)",
            "not refuted",
        ):
            assert said in text


@pytest.mark.parametrize(
    ("first", "claimed", "theory"),
    [
        ((0.0, 1e-3), 1e4, Theory(1e-4, 5.0)),  # logarithmic, with a bound of zero
        ((float("inf"), float("inf")), 0.0, Theory()),
        ((None, None), None, Theory(upper=float("inf"))),
        ((2.0, float("inf")), None, Theory(2.0, 2.0)),
    ],
)
def test_pictures_of_odd_figures(
    tmp_path: Path, first: tuple[float | None, float | None], claimed: float | None, theory: Theory
) -> None:
    ANSWERS.update(first=first, second=first)
    draw(made(claimed=claimed, theory=theory), tmp_path / "audit.svg")
    assert (tmp_path / "audit.svg").stat().st_size > 3000


def test_files_that_are_no_picture(tmp_path: Path) -> None:
    (tmp_path / "folder.svg").mkdir()
    for path, said in (
        ("a.txt", "must end in"),
        ("none/a.svg", "does not exist"),
        ("folder.svg", "is a folder"),
    ):
        with pytest.raises(RefDPError, match=said):
            check_target(tmp_path / path)
