"""One HTML file that needs nothing else: no network, no server, no other file.

Videos travel as inert base64 text and become blobs only when their episode is opened, so a page
of fifty episodes opens at once. A content policy in the page forbids every address but its own
blobs, and every script but the one whose hash it names.
"""

from __future__ import annotations

from collections.abc import Iterator

from robovalue_ros.report import markup
from robovalue_ros.report.markup import escape
from robovalue_ros.report.model import Band, CurveMark, Report, ReportChapter, ReportEpisode
from robovalue_ros.report.payload import episode_json, inert_json, video_text
from robovalue_ros.report.shell import asset, page_head
from robovalue_ros.report.table import episodes_section

__all__ = ["Band", "CurveMark", "Report", "ReportChapter", "ReportEpisode", "page_parts", "render"]


SCRIPTS = ("plot.js", "viewer.js", "table.js")


def render(report: Report) -> str:
    """Return the page as text; the same report gives the same text."""
    return "".join(page_parts(report))


def page_parts(report: Report) -> Iterator[str]:
    """Yield the page piece by piece, one video at a time, so that a large page is never whole."""
    style = asset("page.css")
    script = "{\n" + "".join(asset(name) for name in SCRIPTS) + "}"
    yield from (
        page_head(report.title, style, script),
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
        asset("viewer.html"),
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
