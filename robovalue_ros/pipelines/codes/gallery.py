"""The page of clusters: each named by its most typical clip, with clips and codes to look at."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import atomic_path, write_json
from robovalue_ros.data.code_files import CODES_FOLDER, clip_of, read_codes
from robovalue_ros.pipelines.codes.clips import Film, film_of
from robovalue_ros.pipelines.codes.config import GalleryOptions, Metric
from robovalue_ros.pipelines.codes.planes import Plane, named_groups
from robovalue_ros.report.clouds import Panel, draw_panels
from robovalue_ros.report.gallery import (
    SHADES,
    Gallery,
    GalleryClip,
    GalleryCluster,
    gallery_parts,
)
from robovalue_ros.segment.codes.clustering import NOISE, Clusters
from robovalue_ros.segment.codes.quality import typical_order
from robovalue_ros.segment.codes.sequences import Doubles

PAGE, NAMES = "gallery.html", "cluster_names.json"
LIKE = "like "
SIDE = 400
TAIL = re.compile(r"(\.codes)?\.json$")
COUNTER = re.compile(r"_startwin_\d+$")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a page is about: rows (N, D) of files `names` below `root`, and their clusters."""

    names: tuple[str, ...]
    rows: Doubles
    root: Path | None
    clusters: Clusters
    algorithm: str
    feature: str
    scores: Mapping[str, Any]
    planes: tuple[Plane, ...]


def write_gallery(
    folder: Path,
    shown: Shown,
    options: GalleryOptions,
    metric: Metric,
    findings: list[Finding],
    progress: Progress,
) -> Path:
    """Write `gallery.html` and `cluster_names.json`; what cannot be shown is added to findings.

    Raises DataError when the file of names cannot be used.
    """
    order = typical_order(shown.rows, shown.clusters.labels, metric)
    titles = _titles(order, shown, options.names)
    write_json(folder / NAMES, {str(label): titles[label] for label in order})
    with tempfile.TemporaryDirectory(prefix="robovalue-gallery-") as scratch:
        clips = _clips(order, shown, options, Path(scratch), findings, progress)
        marked = {label: _marked_codes(label, clips) for label in order}
        clusters = tuple(
            GalleryCluster(
                titles[label], _facts(label, rows.tolist(), shown), marked[label], clips[label]
            )
            for label, rows in order.items()
        )
        page = Gallery(
            f"{len(order)} kinds of segment", _subtitle(shown), _tiles(shown),
            _pictures(shown, titles), clusters, tuple(dict.fromkeys(findings)),
        )  # fmt: skip
        with atomic_path(folder / PAGE) as temporary:
            with temporary.open("w", encoding="utf-8") as stream:
                stream.writelines(gallery_parts(page))
    return folder / PAGE


def short_name(name: str) -> str:
    """Return what people call a segment: its folders without `code_indices`, and its number."""
    *folders, file = name.split("/")
    stem = COUNTER.sub("", TAIL.sub("", file))
    return " ".join(("/".join(part for part in folders if part != CODES_FOLDER), stem)).strip()


def _titles(order: Mapping[int, Any], shown: Shown, names: Path | None) -> dict[int, str]:
    given = {} if names is None else _given_names(names)
    typical = {label: short_name(shown.names[rows[0]]) for label, rows in order.items()}
    return {label: given.get(str(label), f"{LIKE}{typical[label]}") for label in order}


def _given_names(path: Path) -> dict[str, str]:
    expected = 'an object such as {"0": "reach", "1": "pour"}'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(path, f"cannot be read ({problem})", expected) from problem
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise DataError(path, "does not name clusters", expected)
    return content


def _clips(
    order: Mapping[int, Any],
    shown: Shown,
    options: GalleryOptions,
    scratch: Path,
    findings: list[Finding],
    progress: Progress,
) -> dict[int, tuple[GalleryClip, ...]]:
    chosen = {label: rows[: options.clips].tolist() for label, rows in order.items()}
    total, missing = sum(map(len, chosen.values())), 0
    found = {}
    with progress.stage("clips", total) as tick:
        for label, rows in chosen.items():
            clips = []
            for place, row in enumerate(rows):
                name = shown.names[row]
                film = _film(shown.root, name, scratch / f"{label}-{place}.mp4", options, findings)
                missing += film is None
                clips.append(_clip(shown, row, film))
                tick(1)
            found[label] = tuple(clips)
    if missing:
        text = f"{missing} of {total} typical segments have no video that can be shown"
        findings.append(Finding("note", "clips", text, "They are looked for beside the codes."))
    return found


def _film(
    root: Path | None, name: str, target: Path, options: GalleryOptions, findings: list[Finding]
) -> Film | None:
    path = None if root is None else clip_of(root, name)
    if path is None:
        return None
    try:
        return film_of(path, target, options.clip_seconds)
    except DataError as problem:
        findings.append(Finding("warning", short_name(name), f"no video: {problem.reason}"))
        return None


def _clip(shown: Shown, row: int, film: Film | None) -> GalleryClip:
    codes: tuple[int, ...] = ()
    if shown.root is not None:
        try:
            sequence = read_codes(shown.root / shown.names[row])
            codes = () if sequence is None else tuple(sequence.codes.tolist())
        except DataError:
            codes = ()  # moved or damaged since it was embedded; the vector is still there
    parts = [f"{len(codes)} codes"] if codes else []
    if film is not None:
        parts.append(f"{film.seconds:.1f} s")
    probability = float(shown.clusters.probabilities[row])
    if probability < 0.995:
        parts.append(f"probability {probability:.2f}")
    name, detail = short_name(shown.names[row]), ", ".join(parts)
    if film is None:
        return GalleryClip(name, detail, codes)
    return GalleryClip(name, detail, codes, film.frames, film.video)


def _marked_codes(label: int, clips: Mapping[int, Sequence[GalleryClip]]) -> tuple[int, ...]:
    """Return codes that are frequent in a cluster's clips, and more so than in the others'."""
    here = Counter(code for clip in clips[label] for code in clip.codes)
    everywhere = Counter(code for each in clips.values() for clip in each for code in clip.codes)
    ranked = sorted(here, key=lambda code: (-(here[code] ** 2) / everywhere[code], code))
    return tuple(ranked[:SHADES])


def _facts(label: int, rows: Sequence[int], shown: Shown) -> tuple[tuple[str, str], ...]:
    facts = [("segments", f"{len(rows)} ({len(rows) / len(shown.names):.0%})")]
    first = [name.partition("/")[0] for name in shown.names]
    if 1 < len(set(first)) < len(first):
        common = Counter(first[row] for row in rows).most_common(3)
        text = ", ".join(f"{name} {count / len(rows):.0%}" for name, count in common)
        facts.append(("folders", text))
    return (*facts, ("most typical", short_name(shown.names[rows[0]])))


def _subtitle(shown: Shown) -> str:
    return f"{len(shown.names)} segments, clustered by {shown.algorithm} on {shown.feature}"


def _tiles(shown: Shown) -> tuple[tuple[str, str, str], ...]:
    labels = shown.clusters.labels
    noise = int((labels == NOISE).sum())
    told = shown.scores
    tiles = [
        ("Segments", f"{len(labels)}", f"{noise} of them noise" if noise else "all in a cluster"),
        ("Clusters", f"{shown.clusters.count}", f"by {shown.algorithm}"),
    ]
    for key, name, detail in (
        ("silhouette", "Silhouette", "−1 to 1, more is better"),
        ("davies_bouldin", "Davies-Bouldin", "less is better"),
    ):
        value = told.get(key)
        value = value.get("mean") if isinstance(value, Mapping) else value
        if isinstance(value, float):
            tiles.append((name, f"{value:.3f}".replace("-", "−"), detail))
    ari = told.get("pairwise_ari")
    if isinstance(ari, Mapping) and isinstance(ari.get("mean"), float):
        tiles.append(("Seeds agree", f"{ari['mean']:.2f}", "adjusted Rand index, 1 is the same"))
    return tuple(tiles)


def _pictures(shown: Shown, titles: Mapping[int, str]) -> tuple[tuple[str, bytes], ...]:
    kinds = {"pca": "principal components", "umap": "UMAP"}
    titled = [titles.get(label, str(label)) for label in range(shown.clusters.count)]
    names = [title.removeprefix(LIKE) for title in titled]
    groups = named_groups(shown.clusters.labels, names)
    return tuple(
        (
            f"All segments by {kinds[plane.kind]}",
            draw_panels("", "", (Panel("", plane.points, groups, plane.axes),), SIDE),
        )
        for plane in reversed(shown.planes)
    )
