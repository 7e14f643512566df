"""What ``refdp audit run`` answers: the report on its scores, and the facts of the runs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from refdp.audit.runs.knowledge import KNOWS
from refdp.cli.output import Output
from refdp.files import dumps, write_atomically

REPORT, PICTURE, ALL_SCORES = "report.json", "audit.svg", "scores.npz"


def answer(directory: Any, setup: Any, found: list[dict[str, Any]], output: Output, quick: bool) -> int:
    """Write report.json, audit.svg and scores.npz, print the report; the exit code."""
    from refdp.audit.report import as_text, draw, report
    from refdp.audit.report.table import refuse_no_bound
    from refdp.audit.runs.beforehand import design_of
    from refdp.audit.runs.pool import pooled

    config, scores = setup.config, pooled(found)
    directory.write_scores(scores, config, ALL_SCORES)
    theory, claim = theory_of(setup), config.claimed_epsilon
    found_report = report(scores, design_of(config), theory, claim, config.estimator, quick)
    refuse_no_bound(found_report)
    facts = _facts(setup, found, directory.path)
    document = {**found_report.to_json(), "run": facts}
    write_atomically(directory.path / REPORT, (dumps(document, indent=1) + "\n").encode())
    draw(found_report, directory.path / PICTURE)
    output.answer(document, f"{_run_text(facts)}\n{as_text(found_report)}\nresults   {directory.path}")
    return int(found_report.exit_code)


def theory_of(setup: Any) -> Any:
    """What is proved of the plan that was accounted for: of a faulty run that is not the run."""
    from refdp.audit.report import Theory

    plan, config = setup.plan, setup.config
    bounds, sampler = plan.epsilon(), plan.sampler
    rate = f"batches of {sampler.batch_size:,} of {sampler.dataset_size:,} slots"
    return Theory(
        lower=bounds.lower,
        upper=bounds.upper,
        sampling=f"{sampler.name}, {rate}, {plan.neighboring}",
        steps=plan.steps,
        noise_multiplier=plan.schedule.scale if plan.schedule.kind == "constant" else None,
        full_participation=config.batch_size == config.slots,
    )


def _facts(setup: Any, found: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    config = setup.config
    accuracies = [record["test_accuracy"] for record in found if record["test_accuracy"] is not None]
    return {
        **{key: value for key, value in config.to_json().items() if key != "schema"},
        "adversary": adversary(setup),
        "test_accuracy": sum(accuracies) / len(accuracies) if accuracies else None,
        "seconds": sum(record["seconds"] for record in found),
        "output": str(path),
    }


def adversary(setup: Any) -> str:
    """What the adversary sees and knows, in words."""
    if setup.config.scores == "black-box":
        return "sees the final weights"
    knows = "every other record, but no batch" if setup.canary.alone else KNOWS[setup.plan.sampler.name]
    return f"sees every released sum, knows {knows}"


def _run_text(facts: dict[str, Any]) -> str:
    accuracy = "" if facts["test_accuracy"] is None else f", test accuracy {facts['test_accuracy']:.4f}"
    fault = "" if facts["fault"] is None else f"\nFAULT {facts['fault']}: this run was broken on purpose"
    text = (
        f"{facts['model']} on {facts['dataset']}: {facts['records']:,} records, {facts['canary']} canaries, "
        f"{facts['initial']} initial weights{accuracy}, {facts['seconds']:.1f} s of training; the adversary "
        f"{facts['adversary']}"
    )
    return "\n".join(textwrap.wrap(text, 110)) + fault
