"""The ``refdp-crosscheck-step/1`` document of a judged trace, and how it reads."""

from __future__ import annotations

import math
from typing import Any

import refdp
from refdp.crosscheck.training.check import Verdict
from refdp.crosscheck.training.rerun import Rerun
from refdp.crosscheck.training.result import DIFFERS, MISSING, Stage

SCHEMA = "refdp-crosscheck-step/1"


def document(verdict: Verdict, tolerance: float, run: Rerun | None = None) -> dict[str, Any]:
    """Everything that was found, as a JSON document; ``run``: the whole run taken again."""
    meta, parted = verdict.trace.meta, verdict.parted
    return {
        "schema": SCHEMA,
        "refdp": refdp.__version__,
        "framework": _text(meta.get("framework")),
        "version": _text(meta.get("version")),
        "model": _text(meta.get("model")),
        "method": _text(meta.get("method")),
        "tolerance": tolerance,
        "agrees": verdict.agrees,
        "parted": None if parted is None else {"step": parted[0], "stage": parted[1].name},
        "steps": [
            {"step": step.number, "stages": [_stage(stage) for stage in step.stages]}
            for step in verdict.steps
        ],
        "overall": [_stage(stage) for stage in verdict.overall],
        "rerun": None if run is None else rerun_to_json(run),
    }


def rerun_to_json(run: Rerun) -> dict[str, Any]:
    """Weights after each step beside refdp's own run."""
    return {
        "apart": list(run.apart),
        "parted": run.parted,
        "stopped": run.stopped,
        "tolerance": run.tolerance,
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _stage(stage: Stage) -> dict[str, Any]:
    judged = stage.status != MISSING
    return {
        "stage": stage.name,
        "status": stage.status,
        "against": stage.against,
        "relative": stage.relative if judged else None,
        "absolute": stage.absolute if judged else None,
        "parameters": [
            {"name": d.name, "relative": d.relative, "absolute": d.absolute, "cosine": d.cosine}
            for d in stage.differences
        ],
        "causes": [{"id": c.id, "text": c.text, "safe": c.safe, "error": c.error} for c in stage.causes],
        "figures": _plain(stage.figures),
    }


def _plain(value: Any) -> Any:
    """Figures as JSON has them: NaN is null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def text(found: dict[str, Any]) -> str:
    """The document in lines: a line a stage, everything about what differs beneath it."""
    who = (
        " ".join(found[key] for key in ("framework", "version", "method", "model") if found[key]) or "a trace"
    )
    lines = [f"{who}, {len(found['steps'])} steps, tolerance {found['tolerance']:g}"]
    for step in found["steps"]:
        lines.append(f"step {step['step']}")
        lines += [line for stage in step["stages"] for line in _stage_lines(stage)]
    for stage in found["overall"]:
        lines += ["all steps", *_stage_lines(stage)]
    if found["rerun"] is not None:
        lines += _run_lines(found["rerun"])
    parted = found["parted"]
    end = "every stage that could be judged agrees"
    if parted is not None:
        end = f"first apart at step {parted['step']}, by its {parted['stage']}"
    elif not found["agrees"]:
        end = "every step agrees by itself; together they do not"
    elif found["rerun"] is not None and found["rerun"]["parted"] is not None:
        end = "every stage that could be judged agrees; over the run the weights part"
    unsafe = [
        cause["id"]
        for stages in (*(step["stages"] for step in found["steps"]), found["overall"])
        for stage in stages
        for cause in stage["causes"]
        if stage["status"] != DIFFERS and cause["safe"] is False
    ]
    if unsafe:
        end += f"; UNSAFE by the remarks all the same: {', '.join(dict.fromkeys(unsafe))}"
    return "\n".join([*lines, end])


def _run_lines(run: dict[str, Any]) -> list[str]:
    lines = []
    if run["apart"]:
        apart = max(map(float, run["apart"]))
        lines.append(f"taken again by refdp, {len(run['apart'])} steps: weights at most {apart:.1e} apart")
    if run["parted"] is not None:
        lines.append(f"  a weight is {float(run['apart'][run['parted']]):.1e} off after step {run['parted']}")
    return lines + ([] if run["stopped"] is None else [f"not taken again further: {run['stopped']}"])


def _stage_lines(stage: dict[str, Any]) -> list[str]:
    name, status = stage["stage"], stage["status"]
    if status == MISSING:
        return [f"  {name:<12} {status:<13} {stage['against']}", *_cause_lines(stage, "remark")]
    figure = f"relative {float(stage['relative']):.2g}" if stage["parameters"] else _figures(stage["figures"])
    lines = [f"  {name:<12} {status:<13} {figure}"]
    if status == DIFFERS:
        lines.append(f"    held against {stage['against']}")
        worst = sorted(stage["parameters"], key=lambda d: -float(d["relative"]))[:3]
        lines += [
            f"    {d['name']}: relative {float(d['relative']):.3g}, absolute {float(d['absolute']):.3g}"
            for d in worst
        ]
        if not stage["causes"]:
            lines.append("    no known cause gives these numbers")
    return [*lines, *_cause_lines(stage, "cause" if status == DIFFERS else "remark")]


def _cause_lines(stage: dict[str, Any], word: str) -> list[str]:
    safety = {True: " (safe)", False: " (UNSAFE)", None: ""}
    return [f"    {word}: {c['id']}{safety[c['safe']]}: {c['text']}" for c in stage["causes"]]


def _figures(figures: dict[str, Any]) -> str:
    """The plain ones among them."""
    plain = {key: value for key, value in figures.items() if isinstance(value, int | float | str)}
    return ", ".join(
        f"{key} {value:.6g}" if isinstance(value, float) else f"{key} {value}" for key, value in plain.items()
    )
