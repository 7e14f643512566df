"""The tables of docs/faults.md: code broken on purpose against the checks of tests/dpsgd that catch it.

python benchmarks/faults.py        (a minute or two: every fault against every check of its family)
"""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE, AUDITED = ROOT / "docs" / "faults.md", ROOT / "docs" / "auditing-mechanisms.md"
DECLARED, FOUND = "**x**", "x"
FAMILIES = {  # marker on the page: modules that hold a FAULTS list
    "step": ("test_seeded_faults",),
    "rules": ("test_clippers_faults",),
    "adaptive": ("test_adaptive_faults", "test_adaptive_allocation_faults"),
    "optimizers": ("test_optimizers_faults",),
    "gradients": ("test_gradients",),
    "plateau": ("test_plateau",),
}
COSTLY = {"calibration", "cosine_budget"}
"""Checks of many seconds: tried with the faults that name them only."""
ASKED = {
    "mean versus sum": "noise_on_the_mean",
    "2 C": "sensitivity_two_c",
    "NaN passes through": "nan_pass_through",
    "private divisor": "realised_divisor",
    "1 / len(loader)": "one_over_the_loader_length",
    "clipped mean": "clipped_batch_mean",
    "skipped empty batch": "skipped_empty_batch",
    "noise per micro-batch": "noise_per_chunk",
    "reused noise": "noise_reused",
    "wrong sign of the quantile": "quantile_of_the_wrong_sign",
    "one layer's noise for all": "one_layers_noise_for_all",
    "midpoint water-filling": "midpoint_water_filling",
    "same-batch quantile": "quantile_of_the_same_batch",
    "mix weight above 1": "mix_beyond_one",
    "noise does not follow C / s": "psasc_with_the_noise_of_c",
}
"""Mistakes by the names they are known under."""
SUBJECTS = {
    "noise_on_the_mean": "MeanNoiseOnSum",
    "noise_reused": "FixedSeed",
    "sensitivity_two_c": "OffBySeven",
    "nan_pass_through": "NaNPasses",
    "skipped_empty_batch": "SkipsEmpty",
    "realised_divisor": "RealisedDivisor",
    "midpoint_water_filling": "MidpointWaterFilling",
    "c_for_every_layer": "PerLayerOneNoise",
    "one_layers_noise_for_all": "PerLayerOneNoise",
    "threshold_of_the_same_batch": "SameBatchClip",
    "quantile_of_the_same_batch": "SameBatchClip",
    "raw_counts": "RawCountQuantile",
    "count_without_noise": "RawQuantile",
    "count_noise_of_the_gradient": "SharedCountNoise",
}
"""The same mistake as a class that ``refdp audit mechanism`` is shown, on docs/auditing-mechanisms.md."""


@dataclass
class Fault:
    """A fault and what its tests prove.

    Attributes:
        put: puts it into the code.
        declared: names of the checks that its tests name.
        rules: clipping rules that it is about; none where checks take no rule.
    """

    put: Callable[[pytest.MonkeyPatch], None]
    declared: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The function's."""
        return self.put.__name__

    @property
    def text(self) -> str:
        """What is broken, in one line: the docstring's first, or the name in words."""
        return (self.put.__doc__ or self.name.replace("_", " ").capitalize() + ".").splitlines()[0]


def _modules() -> Iterator[tuple[str, Any]]:
    for folder in ("tests", "tests/dpsgd"):
        if str(ROOT / folder) not in sys.path:
            sys.path.insert(0, str(ROOT / folder))
    for family, names in FAMILIES.items():
        for name in names:
            yield family, importlib.import_module(name)


def short(check: Any) -> str:
    """A check's name, without its parameters."""
    return str(getattr(check, "func", check).__name__).removeprefix("check_").strip("_")


def collected() -> tuple[dict[str, dict[str, Fault]], dict[str, dict[str, list[Any]]]]:
    """(faults, checks) by family and name, from the FAULTS lists; a check may come with several parameters."""
    faults: dict[str, dict[str, Fault]] = {family: {} for family in FAMILIES}
    checks: dict[str, dict[str, list[Any]]] = {family: {} for family in FAMILIES}
    for family, module in _modules():
        for put, check, *rest in module.FAULTS:
            fault = faults[family].setdefault(put.__name__, Fault(put))
            fault.declared.append(short(check))
            if len(rest) == 2:
                fault.rules.append(rest[0])
            known = checks[family].setdefault(short(check), [])
            if check not in known:
                known.append(check)
    return faults, checks


def _outcome(check: Callable[[], None]) -> str:
    """passes, fails (an AssertionError), or cannot run."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            check()
        except AssertionError:
            return "fails"
        except Exception:
            return "cannot run"
    return "passes"


def found(family: str) -> set[tuple[str, str]]:
    """Every (fault, check) of a family where the check passes on refdp as it is and fails with the fault.

    A rule's faults are tried with the rules they are about; an adaptive one's with all that the check knows. Costly
    checks are not run: the tests prove their declared pairs.
    """
    all_faults, all_checks = collected()
    faults, checks = all_faults[family], all_checks[family]
    everywhere = sorted({rule for fault in faults.values() for rule in fault.rules})
    caught: set[tuple[str, str]] = set()
    sound: dict[tuple[str, Any], bool] = {}
    for fault in faults.values():
        rules = everywhere if family == "adaptive" else list(dict.fromkeys(fault.rules))
        for name, several in checks.items():
            if name in COSTLY:
                caught |= {(fault.name, name)} if name in fault.declared else set()
                continue
            tried = [partial(c, rule) for c in several for rule in rules] if rules else several
            labels = (
                [(name, rule) for _ in several for rule in rules] if rules else [(name, i) for i in several]
            )
            usable = []
            for check, label in zip(tried, labels, strict=True):
                if label not in sound:
                    sound[label] = _outcome(check) == "passes"
                if sound[label]:
                    usable.append(check)
            with pytest.MonkeyPatch.context() as patch:
                fault.put(patch)
                if any(_outcome(check) == "fails" for check in usable):
                    caught.add((fault.name, name))
    return caught


def audited() -> dict[str, str]:
    """Checks of ``refdp audit mechanism`` that find each of its faulty subjects, from its own page."""
    rows = re.findall(
        r"^\| [^|]+ \| `(\w+)` \| (`.+`) \|$", AUDITED.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def table(family: str, also: set[tuple[str, str]]) -> str:
    """A row a fault, a column a check."""
    all_faults, all_checks = collected()
    faults, checks = all_faults[family], all_checks[family]
    external = audited()
    lines = [
        "| fault | what is broken | " + " | ".join(f"`{name}`" for name in checks) + " | audit mechanism |"
    ]
    lines.append("|---" * (len(checks) + 3) + "|")
    for fault in faults.values():
        marks = [
            DECLARED if name in fault.declared else FOUND if (fault.name, name) in also else ""
            for name in checks
        ]
        outside = external[SUBJECTS[fault.name]] if fault.name in SUBJECTS else ""
        cells = [f"`{fault.name}`", fault.text.replace("|", "\\|"), *marks, outside]
        lines.append(re.sub(r"\|  (?=\|)", "| ", "| " + " | ".join(cells) + " |"))
    return "\n".join(lines)


def marks_of(text: str) -> dict[str, dict[tuple[str, str], str]]:
    """The marks on a page: family -> (fault, check) -> mark."""
    marks: dict[str, dict[tuple[str, str], str]] = {}
    for family, body in re.findall(r"<!-- faults (\w+) -->\n(.*?)\n<!-- end -->", text, re.DOTALL):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.splitlines()]
        names = [cell.strip("`") for cell in rows[0][2:-1]] if rows and len(rows) > 1 else []
        marks[family] = {
            (row[0].strip("`"), name): mark
            for row in rows[2:]
            for name, mark in zip(names, row[2:-1], strict=True)
            if mark
        }
    return marks


def summary() -> str:
    """How many there are, and where the well-known ones stand."""
    faults, checks = collected()
    count = sum(map(len, faults.values()))
    pairs = sum(len(fault.declared) for family in faults.values() for fault in family.values())
    lines = [
        f"{count} faults, {sum(map(len, checks.values()))} checks, {pairs} tests.",
        "",
        "| known as | here |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| {known} | `{name}` |" for known, name in ASKED.items())])


def rewritten(text: str, also: dict[str, set[tuple[str, str]]] | None = None) -> str:
    """The page with its generated parts made anew; without ``also`` the plain marks stay as they are on the page."""
    if also is None:
        also = {
            family: {pair for pair, mark in marks.items() if mark == FOUND}
            for family, marks in marks_of(text).items()
        }
    parts = {f"faults {family}": table(family, also.get(family, set())) for family in FAMILIES}
    for name, body in {**parts, "summary": summary()}.items():
        text, count = re.subn(
            rf"<!-- {name} -->.*?<!-- end -->",
            lambda _, name=name, body=body: f"<!-- {name} -->\n{body}\n<!-- end -->",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        assert count == 1, name
    return text


def main() -> None:
    """Rewrite the page."""
    also = {family: found(family) for family in FAMILIES}
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), also), encoding="utf-8")


if __name__ == "__main__":
    main()
