"""The episodes of a results folder as a table on the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from robovalue_ros.pipelines.results import ScoredEpisode, scored_episodes
from robovalue_ros.pipelines.scored_curves import (
    CAUSAL,
    HINDSIGHT,
    clear_falls,
    has_curve,
    whole_curve,
)
from robovalue_ros.value.metrics.ranking import voc

MOST_ROWS = 40
OUTCOMES = {True: "[green]success[/]", False: "[red]failure[/]", None: "[dim]not said[/]"}


def print_episodes(out: Path, console: Console) -> None:
    """Print one row per episode; of a long run the first rows and where the rest is."""
    episodes, _ = scored_episodes(out)
    causal = any(has_curve(episode, CAUSAL) for episode in episodes)
    about = "as a live stream would say" if causal else "in hindsight: outcome and length were told"
    table = Table(title=f"value, {about}", title_justify="left", box=None, pad_edge=False)
    for name in ("episode", "task", "outcome"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for name in ("final value", "VOC", "falls"):
        table.add_column(name, justify="right")
    for episode in episodes[:MOST_ROWS]:
        table.add_row(*_row(episode))
    console.print(table)
    if len(episodes) > MOST_ROWS:
        console.print(f"... and {len(episodes) - MOST_ROWS} more; the page shows all")


def _row(episode: ScoredEpisode) -> tuple[str, ...]:
    curve = whole_curve(episode, CAUSAL if has_curve(episode, CAUSAL) else HINDSIGHT)
    steps = curve.stamps_ns[1:] - curve.stamps_ns[:-1]
    rate = 1e9 / float(steps.mean()) if episode.causal is not None and len(steps) else 0.0
    falls = len(clear_falls(curve.values, rate))
    return (
        escape(episode.name.removesuffix(".hdf5")), escape(episode.task), OUTCOMES[episode.success],
        f"{curve.values[-1]:.2f}", f"{voc(curve.values):.2f}", f"{falls}",
    )  # fmt: skip
