"""One HTML file that shows what each cluster is: its most typical clips, and their codes.

Pictures stand in the page; a video becomes a blob when it is asked for. Like every page of ours it
loads nothing and sends nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.types import Finding
from robovalue_ros.report.markup import cell_text, escape, findings_section
from robovalue_ros.report.payload import video_text
from robovalue_ros.report.shell import asset, page_head

SHADES = 8
MOST_CODES = 240


@dataclass(frozen=True, slots=True)
class GalleryClip:
    """frames: JPEGs in time order. video: MP4 bytes, or a file of them. codes: of the segment."""

    name: str
    detail: str
    codes: tuple[int, ...]
    frames: tuple[bytes, ...] = ()
    video: bytes | Path | None = None


@dataclass(frozen=True, slots=True)
class GalleryCluster:
    """title: its name. facts: what is known. marked: codes that are told apart by colour."""

    title: str
    facts: tuple[tuple[str, str], ...]
    marked: tuple[int, ...]
    clips: tuple[GalleryClip, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """tiles: label, value, detail. pictures: caption and PNG."""

    title: str
    subtitle: str
    tiles: tuple[tuple[str, str, str], ...]
    pictures: tuple[tuple[str, bytes], ...]
    clusters: tuple[GalleryCluster, ...]
    findings: tuple[Finding, ...] = ()


def gallery_parts(gallery: Gallery) -> Iterator[str]:
    """Yield the page piece by piece, one video at a time."""
    style = asset("page.css") + asset("gallery.css")
    script = "{\n" + asset("gallery.js") + "}"
    yield page_head(gallery.title, style, script)
    yield (
        '<header class="masthead"><div><p class="brand">robovalue</p>'
        f'<h1>{escape(gallery.title)}</h1><p class="subtitle">{escape(gallery.subtitle)}</p></div>'
        f"{_navigation(gallery.clusters)}</header>\n<main>\n"
    )
    yield "<noscript><p>Turn on scripts to play the clips.</p></noscript>\n"
    yield _tiles(gallery.tiles)
    yield findings_section(gallery.findings)
    yield _pictures(gallery.pictures)
    for number, cluster in enumerate(gallery.clusters):
        yield _cluster(number, cluster)
    yield (
        "\n</main>\n<footer>Made by robovalue. This file is complete: it loads nothing and sends "
        "nothing.</footer>\n"
    )
    for number, cluster in enumerate(gallery.clusters):
        for place, clip in enumerate(cluster.clips):
            if clip.video is not None:
                text = video_text(clip.video)
                yield f'<script type="text/plain" id="video-{number}-{place}">{text}</script>\n'
    # The videos stand before the script, so that it finds them all.
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def _navigation(clusters: Sequence[GalleryCluster]) -> str:
    items = "".join(
        f'<li><a href="#cluster-{number}">{escape(cluster.title)}</a></li>'
        for number, cluster in enumerate(clusters)
    )
    return f'<nav aria-label="Clusters"><ul>{items}</ul></nav>' if len(clusters) > 1 else ""


def _tiles(tiles: Sequence[tuple[str, str, str]]) -> str:
    parts = "".join(
        f'<div class="tile"><span class="tile-label">{escape(label)}</span>'
        f'<span class="tile-value">{escape(value)}</span>'
        f'<span class="tile-detail">{escape(detail)}</span></div>'
        for label, value, detail in tiles
    )
    return f'<section class="tiles" aria-label="Summary">{parts}</section>\n'


def _pictures(pictures: Sequence[tuple[str, bytes]]) -> str:
    figures = "".join(
        f'<figure><img alt="{escape(caption)}" src="{_data("png", content)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, content in pictures
    )
    return f'<section class="block planes">{figures}</section>\n' if figures else ""


def _cluster(number: int, cluster: GalleryCluster) -> str:
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in cluster.facts
    )
    playable = any(clip.video is not None for clip in cluster.clips)
    button = (
        f'<button class="play-all" data-cluster="{number}">Play all</button>' if playable else ""
    )
    clips = "".join(
        _clip(f"{number}-{place}", clip, cluster.marked) for place, clip in enumerate(cluster.clips)
    )
    return (
        f'<section class="block cluster" id="cluster-{number}"><div class="cluster-head">'
        f"<h2>{escape(cluster.title)}</h2>{button}</div><dl>{facts}</dl>"
        f'<div class="clips">{clips}</div></section>\n'
    )


def _clip(key: str, clip: GalleryClip, marked: Sequence[int]) -> str:
    frames = "".join(f'<img alt="" src="{_data("jpeg", frame)}">' for frame in clip.frames)
    if frames:
        shown = f'<span class="film">{frames}</span>'
    else:
        shown = '<span class="film missing">no video beside the codes</span>'
    if clip.video is not None:
        label = escape(f"Play {clip.name}")
        shown = (
            f'<button class="clip-play" data-video="{key}" aria-label="{label}">{shown}</button>'
        )
    return (
        f'<figure class="clip" id="clip-{key}">{shown}{_strip(clip.codes, marked)}'
        f"<figcaption><strong>{escape(clip.name)}</strong> "
        f"<span>{escape(clip.detail)}</span></figcaption></figure>"
    )


def _strip(codes: Sequence[int], marked: Sequence[int]) -> str:
    """Draw codes as a row of blocks; runs of one code are one block."""
    shown = codes[:MOST_CODES]
    places = {code: place for place, code in enumerate(marked[:SHADES])}
    blocks, start = [], 0
    for at in range(1, len(shown) + 1):
        if at < len(shown) and shown[at] == shown[start]:
            continue
        shade = places.get(shown[start])
        kind = "" if shade is None else f' class="k{shade}"'
        blocks.append(
            f'<rect{kind} x="{start}" width="{at - start}" height="1">'
            f"<title>{cell_text(int(shown[start]))}</title></rect>"
        )
        start = at
    tail = " and more" if len(codes) > len(shown) else ""
    return (
        f'<svg class="strip" viewBox="0 0 {max(1, len(shown))} 1" preserveAspectRatio="none" '
        f'role="img" aria-label="{len(codes)} codes{tail}">{"".join(blocks)}</svg>'
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
