"""`robovalue bag score`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from robovalue_ros.cli.console import BarProgress, print_findings
from robovalue_ros.cli.options import parse
from robovalue_ros.contracts.types import Finding
from robovalue_ros.pipelines.bag.config import BagScoreConfig
from robovalue_ros.pipelines.bag.report import write_bag_report
from robovalue_ros.pipelines.bag.score import Outcome, score_bags
from robovalue_ros.wiring import open_value_stream

ABOUT = """Score recorded bags as the live node would have: for every moment of its cameras, how far
the task has come, from that moment and those before it. Needs no ROS. Writes each bag again with
/robovalue/value, /robovalue/state and /robovalue/event added, and a Parquet table beside it. For
curves that also look ahead, see `robovalue value estimate`, which reads bags too.

Example: robovalue bag score runs/ --model cups.npz --out scored/ --report"""


def run(words: Sequence[str]) -> int:
    """Run the command; returns its exit code: 2 when no bag has values at the end."""
    config = parse(BagScoreConfig, words, "robovalue bag score", ABOUT)
    stream = open_value_stream(config.model, config.weights, config.devices)
    console = Console(soft_wrap=True, highlight=False)
    outcomes: list[Outcome] = []
    with BarProgress() as progress:
        outcomes.extend(score_bags(config, stream, progress))
        scored = [outcome for outcome in outcomes if outcome.score is not None]
        page = config.out / "report.html"
        if config.report and scored:
            write_bag_report(scored, config, page, progress)
    for outcome in scored:
        _print(outcome, console)
    failed = [
        Finding("error", outcome.name, outcome.problem)
        for outcome in outcomes
        if outcome.status == "error"
    ]
    if failed:
        print_findings(failed, console)
    if config.report and scored:
        console.print(f"report: {page}", markup=False)
    return 0 if scored else 2


def _print(outcome: Outcome, console: Console) -> None:
    score = outcome.score
    assert score is not None
    ends = ", ".join(f"{value:.3f}" for value in score.last[:8])
    more = f" and {len(score.last) - 8} more" if len(score.last) > 8 else ""
    events = ", ".join(f"{count} {kind}" for kind, count in sorted(score.events.items()))
    console.print(
        f"{outcome.name}: {outcome.status}, {score.frames} frames in {score.seconds:.1f} s, "
        f"{len(score.last)} {'try' if len(score.last) == 1 else 'tries'}, value at the end {ends}"
        f"{more}; {events or 'no events'}",
        markup=False,
    )
    console.print(f"  {outcome.files.bag}", markup=False)
    if score.findings:
        print_findings(score.findings, console)
