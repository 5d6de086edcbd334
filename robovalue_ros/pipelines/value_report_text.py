"""The words of the page of a run: columns, the line below the title, how to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.pipelines.scored_curves import FALL, FALL_S
from robovalue_ros.report.model import Cell
from robovalue_ros.report.page import ReportChapter, ReportEpisode

SOURCE, FINAL, VOC, FALLS = "Source", "Final value", "VOC", "Falls"
ACTIONS = "Actions"
STALLED, DECLARED_AT = "Stalled, s", "Declared at, s"
COLUMNS = (FINAL, VOC, FALLS, STALLED, DECLARED_AT, SOURCE)


def counted(episodes: Sequence[ScoredEpisode]) -> str:
    """Say in one line what the page is about."""
    tasks = Counter(episode.task for episode in episodes)
    named = next(iter(tasks)) if len(tasks) == 1 else f"{len(tasks)} tasks"
    causal = sum(episode.causal is not None for episode in episodes)
    hindsight = sum(episode.hindsight is not None for episode in episodes)
    curves = " and ".join(
        f"{count} {name}" for count, name in ((causal, "causal"), (hindsight, "hindsight")) if count
    )
    return (
        f"How far the task has come, at every frame: {named or 'no task named'} · {curves} curves"
    )


def final_tile(shown: Sequence[ReportEpisode]) -> tuple[tuple[str, str, str], ...]:
    """Set the final values of successes against those of failures, where both are known."""
    ends = {
        outcome: [
            float(v)
            for e in shown
            if e.success is outcome and isinstance(v := e.facts[FINAL], float)
        ]
        for outcome in (True, False)
    }
    if not ends[True] or not ends[False]:
        return ()
    good, bad = (f"{median(ends[outcome]):.2f}" for outcome in (True, False))
    return ((FINAL, good, f"median of successes; failures {bad}"),)


def run_chapter(facts: Mapping[str, Cell]) -> tuple[ReportChapter, ...]:
    """Return the facts of a run as a chapter, none when there are none."""
    if not facts:
        return ()
    rows = tuple(
        (name, value if isinstance(value, str) else _plain(value)) for name, value in facts.items()
    )
    return (ReportChapter("This run", "", ("", "Setting"), rows),)


def _plain(value: Cell) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def reading_chapter(
    episodes: Sequence[ScoredEpisode], shown: Sequence[ReportEpisode]
) -> ReportChapter:
    """Explain columns and curves, those that are there."""
    causal = any(episode.causal is not None for episode in episodes)
    hindsight = any(episode.hindsight is not None for episode in episodes)
    true = any("true progress" in episode.signals for episode in shown)
    both = (
        "the causal one where there is one, else of the hindsight one"
        if causal and hindsight
        else ("the causal one" if causal else "the hindsight one")
    )
    rows: list[tuple[Cell, ...]] = []
    if causal:
        rows += [
            ("value, causal", "What a live stream says at that frame: it has seen this frame and "
             "those before it, and knows neither the length nor how it ends."),
        ]  # fmt: skip
    if hindsight:
        rows += [
            ("value, hindsight", "Made after the fact: it was told the length and whether the "
             "episode succeeded, so a high end of a success says nothing about the method."),
        ]  # fmt: skip
    if true:
        rows.append(("true progress", "What the recording itself knows. No curve has seen it."))
    rows += [
        (FINAL, f"The last value of the curve: {both}."),
        (VOC, "Value-order correlation: Spearman's correlation of value and time. 1: always rising. "
         "A clock scores 1 too, so this number alone proves nothing."),
        (FALLS, f"How often the value falls by {FALL:g} or more within {FALL_S:g} s."),
    ]  # fmt: skip
    if causal:
        rows += [
            (STALLED, "Seconds in which nothing moved before the task looked done (stall)."),
            (DECLARED_AT, "When the task first looked done (declared)."),
            ("unknown", "Frames that look like nothing in the demonstrations."),
        ]  # fmt: skip
    if any(episode.hindsight is not None and episode.hindsight.sparse for episode in episodes):
        text = "Which part of a demonstration each moment was matched with; the stronger the colour, the later."
        rows.append(("segment", text))
    if any(ACTIONS in episode.facts for episode in shown):
        text = (
            "Where the segmenter saw one action end and the next begin, from motion alone. The name of "
            "an action and its times stand beside the pointer."
        )
        rows.append(("actions", text))
    return ReportChapter("How to read this page", "", ("Name", "Meaning"), tuple(rows))
