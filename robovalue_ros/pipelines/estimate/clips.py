"""Which frames of a recording each entry of a series looks at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.data.embedding_cache.legacy_names import PREFIX
from robovalue_ros.value.config import ProgressConfig, SegmentConfig
from robovalue_ros.value.embed import (
    fit_times,
    prefix_indices,
    range_indices,
    segment_bounds,
    sparse_times,
    windows,
)
from robovalue_ros.value.trim import Span

Indices = NDArray[np.int64]


class Series(NamedTuple):
    """Entries of one series of a recording.

    name: as caches call it. keys: (N,) numbers of the entries, growing. bounds: (N, 2) first and
    last trimmed frame of each.
    """

    name: str
    keys: Indices
    bounds: Indices

    def indices(self, span: Span, count: int) -> Indices:
        """Return the raw frames (N, count) of every entry.

        A prefix repeats frames when it is short; a segment or window reaches back instead, as far
        as the trimmed span goes.
        """
        if len(self.keys) == 0:
            return np.zeros((0, count), np.int64)
        if self.name == PREFIX:
            return np.stack([span.first + prefix_indices(int(t) + 1, count) for t in self.keys])
        raw = self.bounds + span.first
        return np.stack([range_indices(int(a), int(b), count, span.first) for a, b in raw])

    def only(self, wanted: NDArray[np.bool_]) -> Series:
        """Return the entries where `wanted` (N,) is true."""
        return Series(self.name, self.keys[wanted], self.bounds[wanted])


def reference_series(length: int, config: ProgressConfig | SegmentConfig) -> Series:
    """Return what a reference episode contributes: samples of its prefixes, or all segments."""
    if isinstance(config, SegmentConfig):
        count = config.segment_match_num_segments
        return Series(f"seg{count}", np.arange(count), segment_bounds(length, count))
    last = np.array([length - 1], np.int64)
    return _prefixes(
        fit_times(length, config.success_fit_step_ratio) if config.warp_enable else last
    )


def scored_series(length: int, config: ProgressConfig | SegmentConfig) -> Series:
    """Return what scoring an episode looks at: sparse prefixes, or windows named by their end."""
    if isinstance(config, SegmentConfig):
        count, stride = config.segment_match_num_segments, config.stride
        bounds = windows(length, count, stride, compat=config.compatible)
        return Series(f"win{count}s{stride}", bounds[:, 1], bounds)
    return _prefixes(sparse_times(length, config.timestep_stride))


def _prefixes(times: Indices) -> Series:
    return Series(PREFIX, times, np.stack([np.zeros_like(times), times], axis=1))
