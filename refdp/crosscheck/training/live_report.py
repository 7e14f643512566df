"""How a live cross-check reads: a table a model, a row a framework, and beneath it what differs."""

from __future__ import annotations

from typing import Any

_SAFETY = {True: " (safe)", False: " (UNSAFE)", None: ""}
_STAGES = ("gradients", "norms", "clipped sum", "noise", "update")


def text(found: dict[str, Any], by_parameter: bool = False) -> str:
    """The ``refdp-crosscheck-live/1`` document in lines."""
    blocks = [_block(model, found["tolerance"]) for model in found["models"]]
    if by_parameter:
        blocks += [
            _parameters(model, row) for model in found["models"] for row in model["rows"] if row["verdict"]
        ]
    findings = [line for one in found["findings"] for line in _finding(one)]
    return "\n\n".join(
        [*blocks, *(["\n".join(["what the installed packages do:", *findings])] if findings else [])]
    )


def markdown(found: dict[str, Any]) -> str:
    """The same as tables in Markdown."""
    blocks = []
    for model in found["models"]:
        head, lines = _table(model)
        table = [
            f"| {' | '.join(head)} |",
            f"|{'---|' * len(head)}",
            *(f"| {' | '.join(line)} |" for line in lines),
        ]
        blocks.append(f"### {_title(model)}\n\n" + "\n".join(table))
    return "\n\n".join(blocks) + "\n"


def _parameters(model: dict[str, Any], row: dict[str, Any]) -> str:
    """Gradients and clipped sum of the first step by parameter: largest absolute and relative difference, cosine."""
    lines = [f"{model['model']}, {row['peer']}, by parameter: absolute, relative, 1 - cosine"]
    for stage in row["verdict"]["steps"][0]["stages"]:
        if stage["stage"] in ("gradients", "clipped sum"):
            for one in stage["parameters"]:
                cosine = "-" if one["cosine"] is None else f"{1 - one['cosine']:.1e}"
                figures = f"{float(one['absolute']):.1e}  {float(one['relative']):.1e}  {cosine}"
                lines.append(f"  {stage['stage']:<12} {one['name']:<24} {figures}")
    return "\n".join(lines)


def _finding(one: dict[str, Any]) -> list[str]:
    """A line, unless the package is not installed, which its row has said already."""
    who = f"{one['package']} {one['version'] or ''}".strip()
    if one["status"] != "ok":
        return (
            []
            if one["status"] == "not installed"
            else [f"{who}: {one['probe']}: {one['status']}: {one['cause']}"]
        )
    if one["finding"] is None:
        return [f"{who}: {one['measures']}: as it should be"]
    return [f"{who}: {one['finding']['id']}{_SAFETY[one['finding']['safe']]}: {one['finding']['text']}"]


def _block(model: dict[str, Any], tolerance: float) -> str:
    head, lines = _table(model)
    widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]
    laid = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *lines)
    ]
    remarks = [remark for row in model["rows"] for remark in _remarks(row)]
    return "\n".join([f"{_title(model)}, tolerance {tolerance:g}", *laid, *remarks])


def _title(model: dict[str, Any]) -> str:
    steps = "" if model["steps"] == 1 else f", {model['steps']} steps"
    return f"{model['model']}, {model['parameters']:,} parameters, batch {model['batch_size']}{steps}"


def _table(model: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and cells; a stage that no framework recorded has no column."""
    stages = [name for name in _STAGES if any(_worst(row, name) is not None for row in model["rows"])]
    runs = any(row["rerun"] is not None for row in model["rows"])
    head = ["framework", "version", *stages, *(["weights after"] if runs else []), "verdict"]
    return head, [_cells(row, stages, runs) for row in model["rows"]]


def _cells(row: dict[str, Any], stages: list[str], runs: bool) -> list[str]:
    figures = [_figure(_worst(row, name)) for name in stages]
    if runs:
        apart = [] if row["rerun"] is None else row["rerun"]["apart"]
        figures.append(_figure(max(map(float, apart), default=None)))
    word = {True: "agrees", False: "DIFFERS", None: row["status"]}[row["agrees"]]
    return [row["peer"], row["version"] or "-", *figures, word]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1e}"


def _worst(row: dict[str, Any], name: str) -> float | None:
    """The largest relative difference of a stage, over all steps; None where no step could be judged."""
    if row["verdict"] is None:
        return None
    found = [
        float(stage["relative"])
        for step in row["verdict"]["steps"]
        for stage in step["stages"]
        if stage["stage"] == name and stage["relative"] is not None
    ]
    return max(found, default=None)


def _remarks(row: dict[str, Any]) -> list[str]:
    """Why there is no answer; what differs, with its cause; and remarks on what agrees, each once."""
    if row["verdict"] is None:
        return [f"{row['peer']}: {row['status']}: {row['cause']}{_install(row)}"]
    lines: dict[str, None] = {}
    parted = row["verdict"]["parted"]
    if parted is not None:
        lines[f"{row['peer']}: apart at step {parted['step']}, by its {parted['stage']}"] = None
    run = row["rerun"]
    if run is not None and run["parted"] is not None:
        lines[
            f"{row['peer']}: a weight is {float(run['apart'][run['parted']]):.1e} off after step {run['parted']}"
        ] = None
    if run is not None and run["stopped"] is not None:
        lines[f"{row['peer']}: the run could not be taken again: {run['stopped']}"] = None
    seen: set[str] = set()
    for step in row["verdict"]["steps"]:
        for stage in step["stages"]:
            for cause in stage["causes"]:
                if cause["id"] not in seen:
                    seen.add(cause["id"])
                    said = f"{cause['id']}{_SAFETY[cause['safe']]}: {cause['text']}"
                    lines[f"{row['peer']}: {stage['stage']}: {said}"] = None
    return list(lines)


def _install(row: dict[str, Any]) -> str:
    if row["status"] != "not installed":
        return ""
    package = row["package"]
    return f"; install refdp[{package}] here, or name the interpreter that has it: --peer {package}=PYTHON"
