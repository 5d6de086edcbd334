"""The episode table: one row each, ready to be sorted and filtered by the page's script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from robovalue_ros.report.lanes import Curve, curves
from robovalue_ros.report.markup import GLYPHS, OUTCOMES, cell_text, escape, fragment, span_text
from robovalue_ros.report.model import Cell, ReportEpisode

MAX_FACT_COLUMNS = 4
SPARK_POINTS = 48
HEADS = (
    ("outcome", "Outcome", ""), ("id", "Episode", ""), ("task", "Task", ""),
    ("duration", "Length", "number"), ("frames", "Frames", "number"),
    ("rate", "Rate", "number"), ("cameras", "Cameras", "number"),
)  # fmt: skip


def fact_columns(episodes: Sequence[ReportEpisode]) -> tuple[str, ...]:
    """Choose the numeric facts that become columns: those that differ between episodes."""
    values: dict[str, list[Cell]] = {}
    for episode in episodes:
        for name, value in episode.facts.items():
            values.setdefault(name, []).append(value)
    chosen = [
        name
        for name, found in values.items()
        if name.lower() not in ("frames", "duration", "rate", "rate_hz", "cameras")
        and all(isinstance(value, int | float) and not isinstance(value, bool) for value in found)
        and len(set(found)) > 1
    ]
    return tuple(chosen[:MAX_FACT_COLUMNS])


def episodes_section(
    episodes: Sequence[ReportEpisode], columns: Sequence[str] | None = None
) -> str:
    """Write the toolbar and the table; it reads well without scripts too.

    columns: facts to show; None chooses them.
    """
    if not episodes:
        return ""
    facts = fact_columns(episodes) if columns is None else tuple(columns)
    kinds = [_fact_kind(episodes, name, place) for place, name in enumerate(facts)]
    digits = [None if columns is None else _decimals(episodes, name) for name in facts]
    heads = [
        *HEADS,
        *(
            (f"fact-{n}", name, kind)
            for n, (name, kind) in enumerate(zip(facts, kinds, strict=True))
        ),
    ]
    head = "".join(_head(*parts) for parts in heads)
    spark = _spark_name(episodes)
    if spark is not None:
        head += f'<th scope="col" class="spark-head"><span>{escape(spark)}</span></th>'
    shown = list(zip(facts, kinds, digits, strict=True))
    rows = "".join(_row(place, item, shown, spark) for place, item in enumerate(episodes))
    style = _alike(episodes) if columns is None else f"chosen-columns {_same_task(episodes)}"
    choices = "".join(f'<option value="{key}">{escape(name)}</option>' for key, name, _ in heads)
    return (
        '<section id="episodes" class="block"><div class="toolbar"><h2>Episodes</h2>'
        f"{_outcome_filter(episodes)}"
        '<label class="search"><span class="hidden">Filter by id, task or note</span>'
        '<input type="search" id="search" placeholder="Filter by id, task, note" '
        'autocomplete="off" spellcheck="false"></label>'
        '<label class="sort-choice"><span>Sort by</span><select id="sort">'
        f'<option value="">Recorded</option>{choices}</select></label>'
        '<span id="shown" role="status" aria-live="polite"></span></div>'
        f'<div class="frame"><table class="episodes {style}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<p id="nothing" hidden>No episode fits this filter.</p></section>'
    )


def _alike(episodes: Sequence[ReportEpisode]) -> str:
    """Name the columns that say the same in every row; the style hides them."""
    rates = {f"{episode.rate_hz:.4g}" for episode in episodes}
    cameras = {len(episode.videos) for episode in episodes}
    return ("same-rate " if len(rates) == 1 else "") + ("same-cameras" if len(cameras) == 1 else "")


def _outcome_filter(episodes: Sequence[ReportEpisode]) -> str:
    counts = Counter(OUTCOMES[episode.success] for episode in episodes)
    names = ["all", *(name for name in OUTCOMES.values() if counts[name])]
    words = {"all": "All", "success": "Success", "failure": "Failure", "unlabelled": "Unlabelled"}
    buttons = "".join(
        f'<button type="button" data-outcome="{name}" aria-pressed="{str(name == "all").lower()}">'
        f"{words[name]} <span>{len(episodes) if name == 'all' else counts[name]}</span></button>"
        for name in names
    )
    return f'<div class="choice" role="group" aria-label="Filter by outcome">{buttons}</div>'


def _head(key: str, label: str, kind: str) -> str:
    return (
        f'<th scope="col" class="col-{key} {kind}" data-key="{key}" aria-sort="none">'
        f'<button type="button">{escape(label)}</button></th>'
    )


def _fact_kind(episodes: Sequence[ReportEpisode], name: str, place: int) -> str:
    """Return the classes of a column; the first one stays visible on a phone."""
    known = [value for e in episodes if (value := e.facts.get(name)) is not None]
    number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    return ("number " if number else "") + ("fact lead" if place == 0 else "fact")


def _row(
    place: int,
    episode: ReportEpisode,
    facts: Sequence[tuple[str, str, int | None]],
    spark: str | None,
) -> str:
    outcome = OUTCOMES[episode.success]
    link = f'<a href="#{fragment(episode.id)}">{escape(episode.id)}</a>'
    badge = (
        f'<span class="badge {outcome}"><span aria-hidden="true">{GLYPHS[outcome]}</span>'
        f"<span>{outcome}</span></span>"
    )
    rank = {"success": 2, "failure": 1, "unlabelled": 0}[outcome]
    duration, frames = episode.duration_s, len(episode.stamps_s)
    cells = [
        f'<td class="col-outcome" data-value="{rank}">{badge}</td>',
        f'<td class="col-id" data-value="{escape(episode.id)}">{link}</td>',
        f'<td class="col-task" data-value="{escape(episode.task)}">{escape(episode.task) or "–"}</td>',
        f'<td class="col-duration number" data-value="{duration:.6f}">{span_text(duration)}</td>',
        f'<td class="col-frames number" data-value="{frames}">{frames}</td>',
        f'<td class="col-rate number" data-value="{episode.rate_hz:.6f}">{episode.rate_hz:.4g} Hz</td>',
        f'<td class="col-cameras number" data-value="{len(episode.videos)}">{len(episode.videos)}</td>',
    ]
    for number, (name, kind, digits) in enumerate(facts):
        value = episode.facts.get(name)
        cells.append(
            f'<td class="col-fact-{number} {kind}" data-value="{escape(_key(value))}" '
            f'data-label="{escape(name)}">{escape(_even(value, digits))}</td>'
        )
    if spark is not None:
        cells.append(f'<td class="spark-cell">{_spark(episode, spark)}</td>')
    words = [
        str(value) for name, _, _ in facts if isinstance(value := episode.facts.get(name), str)
    ]
    search = escape(" ".join([episode.id, episode.task, episode.notes, *words]).lower())
    return (
        f'<tr data-index="{place}" data-outcome="{outcome}" data-search="{search}">'
        f"{''.join(cells)}</tr>"
    )


def _same_task(episodes: Sequence[ReportEpisode]) -> str:
    return "same-task" if len({episode.task for episode in episodes}) == 1 else ""


def _decimals(episodes: Sequence[ReportEpisode], name: str) -> int | None:
    """Return how many decimals a column needs so that its points stand below each other."""
    values = [value for e in episodes if isinstance(value := e.facts.get(name), float)]
    if not values or not np.isfinite(values).all():
        return None
    return max(len(f"{value:.3f}".rstrip("0").partition(".")[2]) for value in values)


def _even(value: Cell, digits: int | None) -> str:
    if digits is None or not isinstance(value, float):
        return cell_text(value)
    return f"{value:.{digits}f}".replace("-", "−")


def _key(value: Cell) -> str:
    """Return what a cell is sorted by, nothing for an empty one."""
    if cell_text(value) == "–":
        return ""
    return f"{float(value):.9g}" if isinstance(value, int | float) else str(value)


def _spark_name(episodes: Sequence[ReportEpisode]) -> str | None:
    """Choose the curve for the table: the first moving one on the 0..1 axis of most episodes."""
    votes: Counter[str] = Counter()
    for episode in episodes:
        votes.update(
            curve.name for curve in curves(episode.signals) if curve.unit and curve.high > curve.low
        )
    return votes.most_common(1)[0][0] if votes else None


def _spark(episode: ReportEpisode, name: str) -> str:
    if name not in episode.signals:
        return ""
    curve: Curve = curves({name: episode.signals[name]})[0]
    take = np.unique(np.linspace(0, len(curve.values) - 1, SPARK_POINTS).round().astype(int))
    span = episode.duration_s or 1.0
    times = (np.asarray(episode.stamps_s, np.float64)[take] - float(episode.stamps_s[0])) / span
    points = [
        f"{1 + 94 * x:.1f},{23 - 22 * y:.1f}"
        for x, y in zip(times, curve.heights[take].clip(0, 1), strict=True)
        if not np.isnan(y)
    ]
    return (
        f'<svg class="spark" viewBox="0 0 96 24" aria-hidden="true">'
        f'<polyline points="{" ".join(points)}"/></svg>'
    )
