"""Average precision of found segments, over many videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robovalue_ros.segment.boundaries import Interval, iou


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment (start, stop) of a video. confidence: larger is surer."""

    video: str
    span: Interval
    confidence: float


def confidence(span: Interval, energies: Mapping[int, float], step_s: float) -> float:
    """Return how sure a segment is: the mean energy of the windows, `step_s` apart, inside it.

    Without any the duration.
    """
    inside = [value for window, value in energies.items() if span[0] <= window * step_s <= span[1]]
    return float(np.mean(inside)) if inside else span[1] - span[0]


def average_precision(
    found: Sequence[FoundSegment], true: Mapping[str, Sequence[Interval]], overlap: float
) -> float:
    """Return the area under the precision-recall curve, made monotone.

    Segments come by falling confidence, equal ones as given; each takes the free true segment of its video
    that it overlaps most, if by at least `overlap` (IoU). NaN without true segments.
    """
    total = sum(len(segments) for segments in true.values())
    if total == 0:
        return float("nan")
    free = {video: list(segments) for video, segments in true.items()}
    hits = []
    for segment in sorted(found, key=lambda item: -item.confidence):
        open_spans = free.get(segment.video, [])
        shared = [iou(segment.span, span) for span in open_spans]
        best = int(np.argmax(shared)) if shared else -1
        hit = best >= 0 and shared[best] >= overlap
        if hit:
            del open_spans[best]
        hits.append(hit)
    right = np.cumsum(np.array(hits, np.float64))
    recall = np.concatenate([[0.0], right / total])
    precision = right / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))
