"""One HTML file that needs nothing else: no network, no server, no other file.

Videos travel as inert base64 text and become blobs only when their episode is opened, so a page
of fifty episodes opens at once. A content policy in the page forbids every address but its own
blobs, and every script but the one whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources

from robovalue_ros.report import markup
from robovalue_ros.report.markup import escape
from robovalue_ros.report.model import Band, CurveMark, Report, ReportChapter, ReportEpisode
from robovalue_ros.report.payload import episode_json, inert_json, video_text
from robovalue_ros.report.table import episodes_section

__all__ = ["Band", "CurveMark", "Report", "ReportChapter", "ReportEpisode", "page_parts", "render"]


SCRIPTS = ("plot.js", "viewer.js", "table.js")
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath "
    "d='M2 13 6 8l3 2 5-7' fill='none' stroke='%232f6ae0' stroke-width='2.4' "
    "stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
)


def render(report: Report) -> str:
    """Return the page as text; the same report gives the same text."""
    return "".join(page_parts(report))


def page_parts(report: Report) -> Iterator[str]:
    """Yield the page piece by piece, one video at a time, so that a large page is never whole."""
    style = _asset("page.css")
    script = "{\n" + "".join(_asset(name) for name in SCRIPTS) + "}"
    policy = (
        "default-src 'none'; media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    yield from (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="{ICON}">\n'
        f"<title>{escape(report.title)}</title>\n<style>{style}</style>\n</head>\n<body>\n",
        '<header class="masthead"><div><p class="brand">robovalue</p>'
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="subtitle">{escape(report.subtitle)}</p>' if report.subtitle else "",
        f"</div>{markup.navigation(report)}</header>\n<main>\n",
        "<noscript><p>Turn on scripts to play the videos and to sort the table.</p></noscript>\n",
        markup.tiles(report),
        markup.findings_section(report.findings),
        episodes_section(report.episodes, report.columns),
        markup.chapters_sections(report.chapters),
        "\n</main>\n<footer>Made by robovalue. This file is complete: it loads nothing and sends "
        "nothing.</footer>\n",
        _asset("viewer.html"),
        f'<script type="application/json" id="index">{_index(report)}</script>\n',
        *(_block(f"data-{n}", episode_json(item)) for n, item in enumerate(report.episodes)),
        f"<script>{script}</script>\n",
    )
    # The videos come last: the table answers while a large page is still being read.
    for n, episode in enumerate(report.episodes):
        for c, video in enumerate(episode.videos.values()):
            yield f'<script type="text/plain" id="video-{n}-{c}">{video_text(video)}</script>\n'
    yield "</body>\n</html>\n"


def _index(report: Report) -> str:
    entries = [
        {
            "id": episode.id,
            "link": markup.fragment(episode.id),
            "task": episode.task,
            "outcome": markup.OUTCOMES[episode.success],
            "rate": f"{episode.rate_hz:.4g} Hz",
            "length": markup.span_text(episode.duration_s),
            "facts": [[name, markup.cell_text(value)] for name, value in episode.facts.items()],
            "notes": episode.notes,
        }
        for episode in report.episodes
    ]
    return inert_json(entries)


def _block(name: str, text: str) -> str:
    return f'<script type="application/json" id="{name}">{text}</script>\n'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _asset(name: str) -> str:
    source = resources.files("robovalue_ros.report").joinpath("assets", name)
    return source.read_text(encoding="utf-8")
