"""What the columns of a table of steps mean."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from refdp.audit.importers.runs import Row
from refdp.audit.importers.words import multiplier, rate, short, whole
from refdp.errors import RefDPError

COUNTS = ("steps", "count")
INDICES = ("step", "iteration")
MOST_COLUMNS = 1000
KNOWN = ("noise_multiplier", "sample_rate", "batch_size", "dataset_size", *COUNTS, *INDICES, "epoch")
CLAIMS = ("epsilon", "delta")
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_OTHER_NAMES = {
    "sampling_rate": "sample_rate",
    "sampling_probability": "sample_rate",
    "sample_size": "dataset_size",
    "num_steps": "steps",
}


@dataclass
class Table:
    """The rows so far.

    ``steps`` (or ``count``) says how many steps a row stands for, 1 by default. ``step`` (or ``iteration``) is an
    index: without ``steps`` it must rise by one from row to row, so that a log of every hundredth step is not taken
    for a run of few steps. Of ``epsilon`` and ``delta`` the last row is the claim. Other columns are passed over.
    """

    at: dict[str, int]
    width: int
    unknown: list[str]
    rows: list[Row] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def of_header(cls, cells: list[str]) -> Table:
        """Read the first row."""
        if len(cells) > MOST_COLUMNS:
            raise RefDPError(
                f"has {len(cells):,} columns: at most {MOST_COLUMNS:,} are read; keep those that matter"
            )
        names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
        names = [_OTHER_NAMES.get(name, name) for name in names]
        while names and not names[-1]:
            names.pop()
        for name in names:
            if name in KNOWN and names.count(name) > 1:
                raise RefDPError(f"column {name} is there twice; keep one")
        at = {name: names.index(name) for name in (*KNOWN, *CLAIMS) if name in names}
        if "noise_multiplier" not in at:
            raise RefDPError(
                f"has the columns {short(', '.join(names), 200)}: noise_multiplier is required (the noise's standard "
                "deviation on the sum / clip norm); rename the column that is it"
            )
        if "sample_rate" not in at and not {"batch_size", "dataset_size"} <= set(at):
            raise RefDPError(
                f"has the columns {short(', '.join(names), 200)}: sample_rate is required, or batch_size with "
                "dataset_size"
            )
        if all(name in at for name in COUNTS):
            raise RefDPError(
                "has both columns steps and count; keep the one that says how many steps a row is"
            )
        return cls(at, len(names), [name for name in names if name and name not in (*KNOWN, *CLAIMS)])

    def add(self, line: int, cells: list[str]) -> None:
        """Read a row."""
        where = f"line {line}: "
        if len(cells) < self.width or any(cell.strip() for cell in cells[self.width :]):
            raise RefDPError(f"{where}has {len(cells)} cells where the header has {self.width}")
        value = {name: cells[index].strip() for name, index in self.at.items()}
        steps = 1
        for name in COUNTS:
            if name in value:
                steps = whole(f"{where}{name}", _whole(value[name]))
        self._check_order(where, value)
        noise = multiplier(_number(value["noise_multiplier"]), where)
        self.rows.append((noise, self._rate(where, value), steps))
        self.last |= {name: text for name, text in value.items() if text}

    def _rate(self, where: str, value: dict[str, str]) -> float:
        sizes = {
            name: whole(f"{where}{name}", _whole(value[name]), minimum=1)
            for name in ("batch_size", "dataset_size")
            if value.get(name) and (name in self.at)
        }
        for name, size in sizes.items():
            self.sizes.setdefault(name, set()).add(size)
        if value.get("sample_rate"):
            return rate(_number(value["sample_rate"]), where)
        if len(sizes) < 2:
            raise RefDPError(f"{where}sample_rate is empty: give it, or batch_size with dataset_size")
        if sizes["batch_size"] > sizes["dataset_size"]:
            raise RefDPError(
                f"{where}batch_size = {sizes['batch_size']}: must not exceed dataset_size = {sizes['dataset_size']}"
            )
        return sizes["batch_size"] / sizes["dataset_size"]

    def _check_order(self, where: str, value: dict[str, str]) -> None:
        counted = any(name in value for name in COUNTS)
        for name in (*INDICES, "epoch"):
            if name not in value:
                continue
            text = value[name]
            number = _number(text)
            if not isinstance(number, float) or not math.isfinite(number):
                raise RefDPError(
                    f"{where}{name} = {short(text)}: must be a number, the row's place in the run"
                )
            before = self.last.get(f"_{name}")
            self.last[f"_{name}"] = number
            if before is None:
                continue
            if number < before:
                raise RefDPError(
                    f"{where}{name} goes back from {before:g} to {number:g}: one run a file, in its order"
                )
            if counted or (name == "epoch" and any(index in value for index in INDICES)):
                continue
            if name == "epoch":
                self.last["_epoch_repeats"] = self.last.get("_epoch_repeats", False) or number == before
            elif number != before + 1:
                raise RefDPError(
                    f"{where}{name} goes from {before:g} to {number:g}: a row is one step unless a column steps "
                    "says how many it stands for; add that column"
                )

    def notes(self) -> list[str]:
        """What was passed over; a row an epoch, with nothing that says how many steps it was, is refused."""
        alone = "epoch" in self.at and not any(name in self.at for name in (*COUNTS, *INDICES))
        if alone and len(self.rows) > 1 and not self.last.get("_epoch_repeats"):
            raise RefDPError(
                "has a row an epoch and no column steps: add steps, how many steps each row stands for"
            )
        notes = []
        if self.unknown:
            notes.append(f"columns passed over: {short(', '.join(self.unknown), 200)}")
        if not self.rows:
            notes.append("the table has no rows: no step was accounted")
        return notes

    def claimed(self) -> dict[str, float] | None:
        """Epsilon and delta of the last row that has them."""
        found = {}
        for name in CLAIMS:
            if name in self.last:
                number = _number(self.last[name])
                if not isinstance(number, float) or not 0 <= number < math.inf:
                    raise RefDPError(
                        f"{name} = {short(self.last[name])}: must be a number >= 0; remove the column if it is no claim"
                    )
                found[name] = number
        return found or None

    def actual(self) -> dict[str, Any]:
        """The sizes, where they are the same in every row."""
        return {name: next(iter(sizes)) for name, sizes in self.sizes.items() if len(sizes) == 1}


def _number(text: str) -> Any:
    return float(text) if _NUMBER.fullmatch(text) else text


def _whole(text: str) -> Any:
    return int(text) if _WHOLE.fullmatch(text) else text
