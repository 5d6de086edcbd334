"""Plans as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from robovalue_ros.data.plan_files.folder import StoredPlan
from robovalue_ros.pipelines.plans.look import StageFigures
from robovalue_ros.plans.document import CONTENT_HASH, HASH

BAR = 24
SHOWN_EPISODES = 12
WIDEST = 110


def wide_console() -> Console:
    """Return where tables go: a log file has no width of its own, and hashes are long."""
    width = Console().width
    return Console(width=max(width, WIDEST), soft_wrap=True, highlight=False, markup=False)


def fact_table(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Return two columns: a name, and what it is."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None,
                  show_header=False, pad_edge=False, padding=(0, 2, 0, 0))  # fmt: skip
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def plan_table(stored: StoredPlan, figures: Mapping[str, Any] | None = None) -> Table:
    """Return what a plan is. figures: made of its arrays; none: those it tells itself."""
    meta = stored.meta
    told = figures or meta["summary"]
    stats = told["weight_stats"]
    stages, weights = meta["stage_strategy"], meta["weight_strategy"]
    rows = [
        ("data set", f"{meta['repo_id']}, {meta['dataset_len']} rows"),
        ("episodes", _episodes(meta)),
        ("window and batch", f"H {meta['action_horizon_H']}, B {meta['batch_size']}"),
        ("anchors", f"{told['num_anchors']}, every {_get(meta, 'anchor_strategy', 'stride_S')} frames"),
        ("stages", f"{stages.get('num_stages_K')} by {stages.get('type')}, {weights.get('stage_balance')}"),
        ("stage_counts", str(list(told["stage_counts"]))),
        ("events", _events(meta)),
        ("weights", f"min {stats['min']:.6g}, median {stats['median']:.6g}, max {stats['max']:.6g}"),
        ("ESS", f"{told['ESS_reference']:.3f}"),
        ("sampler", f"seed {meta['sampler_seed']}, {_drawing(bool(meta['replacement']))}"),
        ("plan_sha256", str(meta[HASH])),
    ]  # fmt: skip
    if CONTENT_HASH in meta:
        rows.append(("content_sha256", str(meta[CONTENT_HASH])))
    return fact_table("plan", rows)


def stage_table(stages: Sequence[StageFigures]) -> Table:
    """Return how many anchors and draws each stage has, with a bar of its draws."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("stage", "anchors", "of anchors", "of draws"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    largest = max((one.draw_share for one in stages), default=1.0) or 1.0
    for one in stages:
        bar = "█" * round(BAR * one.draw_share / largest)
        table.add_row(
            str(one.stage), str(one.anchors), f"{one.anchor_share:.1%}", f"{one.draw_share:.1%}", bar
        )  # fmt: skip
    return table


def figure_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return figures under a heading for each column."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None,
                  pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")  # fmt: skip
    for number, name in enumerate(heads):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    return table


def shown(value: Any) -> str:
    """Write a figure for people: four digits, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _get(meta: Mapping[str, Any], group: str, name: str) -> Any:
    return meta[group].get(name, "?")


def _drawing(replacement: bool) -> str:
    return "with replacement" if replacement else "without replacement"


def _episodes(meta: Mapping[str, Any]) -> str:
    kept = list(meta["episodes_keep"])
    named = ", ".join(map(str, kept[:SHOWN_EPISODES])) + (", ..." if len(kept) > SHOWN_EPISODES else "")  # fmt: skip
    return f"{len(kept)} of {meta.get('num_episodes_total', '?')}: {named}"


def _events(meta: Mapping[str, Any]) -> str:
    event = meta["gripper_event"]
    if not event.get("enabled"):
        return "not looked for"
    counts = meta["summary"].get("num_gripper_events_per_episode", {})
    dims = ", ".join(map(str, event.get("gripper_dims", ())))
    return f"{counts.get('mean', 0):.3g} in an episode, of dimensions {dims}"
