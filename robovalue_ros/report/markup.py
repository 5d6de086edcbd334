"""The parts of the page that stand still: tiles, findings, chapters and the text in them."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Sequence
from html import escape as _escape
from urllib.parse import quote

import numpy as np

from robovalue_ros.contracts.types import Finding
from robovalue_ros.report.model import Cell, Report, ReportChapter, ReportEpisode

OUTCOMES = {True: "success", False: "failure", None: "unlabelled"}
GLYPHS = {"success": "✓", "failure": "✕", "unlabelled": "–"}
LEVELS = {"error": ("✕", "Error"), "warning": ("!", "Warning"), "note": ("i", "Note"), "ok": ("✓", "OK")}  # fmt: skip


def escape(text: str) -> str:
    """Escape a text for HTML; lone surrogates and control characters become visible marks."""
    clean = "".join("�" if _unprintable(character) else character for character in str(text))
    return _escape(clean, quote=True)


def _unprintable(character: str) -> bool:
    code = ord(character)
    return 0xD800 <= code <= 0xDFFF or code == 0x7F or (code < 32 and character not in "\t\n\r")


def fragment(episode_id: str) -> str:
    """Return the address of an episode inside the page, without the '#'."""
    return "episode-" + quote(episode_id.encode("utf-8", "replace"), safe="")


def cell_text(value: Cell) -> str:
    """Write a value for people: four digits of a number, yes and no, a dash for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return str(value)


def span_text(seconds: float) -> str:
    """Write a length of time: 8.4 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    total = round(seconds)
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def tiles(report: Report) -> str:
    """Summarise the report in a few numbers."""
    episodes = report.episodes
    if not episodes:
        return ""
    counts = Counter(OUTCOMES[episode.success] for episode in episodes)
    labelled = counts["success"] + counts["failure"]
    share = f"{100 * counts['success'] / labelled:.0f} %" if labelled else "–"
    outcome = f"{counts['success']} of {labelled} labelled" if labelled else "nobody labelled them"
    if counts["unlabelled"] and labelled:
        outcome += f", {counts['unlabelled']} not"
    lengths = np.array([episode.duration_s for episode in episodes])
    cameras = sorted({name for episode in episodes for name in episode.videos})
    tasks = {episode.task for episode in episodes}
    frames = sum(len(episode.stamps_s) for episode in episodes)
    shown = ", ".join(cameras[:3]) + (" …" if len(cameras) > 3 else "")
    parts = [
        _tile("Episodes", f"{len(episodes)}", f"{len(tasks)} task{'s' if len(tasks) > 1 else ''}"),
        _tile("Success", share, outcome, _meter(counts)),
        _tile("Recorded", span_text(float(lengths.sum())), f"median {span_text(float(np.median(lengths)))}"),
        _tile("Frames", f"{frames:,}".replace(",", "\u202f"), _rates(episodes)),
        _tile("Cameras", f"{len(cameras)}", shown or "none"),
        *(_tile(*words) for words in report.tiles),
    ]  # fmt: skip
    return f'<section class="tiles" aria-label="Summary">{"".join(parts)}</section>'


def _tile(label: str, value: str, detail: str, extra: str = "") -> str:
    return (
        f'<div class="tile"><span class="tile-label">{escape(label)}</span>'
        f'<span class="tile-value">{escape(value)}</span>{extra}'
        f'<span class="tile-detail">{escape(detail)}</span></div>'
    )


def _meter(counts: Counter[str]) -> str:
    total = sum(counts.values())
    bars, left = [], 0.0
    for name in OUTCOMES.values():
        width = 100 * counts[name] / total
        bars.append(f'<rect class="{name}" x="{left:.2f}" y="0" width="{width:.2f}" height="4"/>')
        left += width
    return (
        '<svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(bars)}</svg>"
    )


def _rates(episodes: Sequence[ReportEpisode]) -> str:
    rates = sorted({round(episode.rate_hz, 1) for episode in episodes})
    if len(rates) == 1:
        return f"{rates[0]:g} per second"
    return f"{rates[0]:g} to {rates[-1]:g} per second"


def findings_section(findings: Sequence[Finding]) -> str:
    """List what was noticed, the worst first."""
    if not findings:
        return ""
    order = list(LEVELS)
    ranked = sorted(findings, key=lambda finding: order.index(finding.level))
    counts: Counter[str] = Counter(finding.level for finding in findings)
    tally = ", ".join(
        f"{counts[level]} {level}{'s' if counts[level] > 1 and level != 'ok' else ''}"
        for level in order
        if counts[level]
    )
    items = "".join(_finding(finding) for finding in ranked)
    opened = " open" if counts["error"] or counts["warning"] else ""
    return (
        f'<section id="findings" class="block"><details{opened}><summary><h2>Findings</h2>'
        f'<span class="tally">{tally}</span></summary><ul class="findings">{items}</ul>'
        "</details></section>"
    )


def _finding(finding: Finding) -> str:
    glyph, word = LEVELS[finding.level]
    advice = f'<p class="advice">{escape(finding.advice)}</p>' if finding.advice else ""
    return (
        f'<li class="finding {finding.level}"><span class="mark" aria-hidden="true">{glyph}</span>'
        f'<div><p><span class="hidden">{word}: </span><strong>{escape(finding.subject)}</strong> '
        f"{escape(finding.found)}</p>{advice}</div></li>"
    )


def chapters_sections(chapters: Sequence[ReportChapter]) -> str:
    """Write the chapters, one section each."""
    return "".join(_chapter(place, chapter) for place, chapter in enumerate(chapters))


def _chapter(place: int, chapter: ReportChapter) -> str:
    paragraphs = [part.strip() for part in chapter.text.split("\n\n") if part.strip()]
    text = "".join(f"<p>{escape(part)}</p>" for part in paragraphs)
    table = ""
    if chapter.columns:
        numeric = [_is_numeric([row[c] for row in chapter.rows]) for c in range(len(chapter.columns))]  # fmt: skip
        kinds = [' class="number"' if yes else "" for yes in numeric]
        head = "".join(
            f'<th scope="col"{kind}>{escape(name)}</th>'
            for name, kind in zip(chapter.columns, kinds, strict=True)
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td{kind}>{escape(cell_text(v))}</td>" for v, kind in zip(row, kinds, strict=True)
            )
            + "</tr>"
            for row in chapter.rows
        )
        table = (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(chapter.title)}">'
            f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        )
    return (
        f'<section id="chapter-{place + 1}" class="block chapter"><h2>{escape(chapter.title)}</h2>'
        f'<div class="prose">{text}</div>{_picture(chapter)}{table}</section>'
    )


def _picture(chapter: ReportChapter) -> str:
    if not chapter.picture:
        return ""
    content = base64.b64encode(chapter.picture).decode("ascii")
    alt = escape(chapter.caption or chapter.title)
    caption = f"<figcaption>{escape(chapter.caption)}</figcaption>" if chapter.caption else ""
    return f'<figure><img alt="{alt}" src="data:image/png;base64,{content}">{caption}</figure>'


def _is_numeric(values: Sequence[Cell]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in known
    )


def navigation(report: Report) -> str:
    """Link the sections, when there is more than one to go to."""
    links = []
    if report.findings:
        links.append(("findings", "Findings"))
    if report.episodes:
        links.append(("episodes", "Episodes"))
    links += [(f"chapter-{n + 1}", chapter.title) for n, chapter in enumerate(report.chapters)]
    if len(links) < 2:
        return ""
    items = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title in links)
    return f'<nav aria-label="Sections"><ul>{items}</ul></nav>'
