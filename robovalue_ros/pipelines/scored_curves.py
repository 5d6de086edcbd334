"""The two curves of a scored episode, on all frames of its recording."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import ValueCurve
from robovalue_ros.pipelines.results import ScoredEpisode
from robovalue_ros.value.metrics.events import fall_onsets

CurveName = Literal["causal", "hindsight"]
CAUSAL: CurveName = "causal"
HINDSIGHT: CurveName = "hindsight"
CURVES = (CAUSAL, HINDSIGHT)
# What counts as a clear fall, wherever falls are counted for people: so much within one second.
FALL, FALL_S = 0.2, 1.0
SLACK = 1e-4
Floats = NDArray[np.float64]


def has_curve(episode: ScoredEpisode, name: CurveName) -> bool:
    """Tell whether an episode has a curve."""
    return (episode.causal if name == CAUSAL else episode.hindsight) is not None


def frames_of(episode: ScoredEpisode, recorded: int | None = None) -> int:
    """Return the number of frames of the recording, as it was when it was scored.

    recorded: its frames by now, where it can be read: a hindsight curve alone knows only where its
    trimmed stretch ends. Raises DataError when the recording does not fit its curves.
    """
    if episode.causal is not None:
        known = len(episode.causal.values)
        fits, scored = recorded in (None, known), f"{known}"
    else:
        known = trimmed(episode).stop
        fits, scored = recorded is None or recorded >= known, f"{known} or more"
    if not fits:
        raise DataError(
            episode.name, f"has {recorded} frames by now, and was scored with {scored}",
            "the recording that was scored", "It was recorded or cut anew; score it again.",
        )  # fmt: skip
    return recorded or known


def trimmed(episode: ScoredEpisode) -> slice:
    """Return the raw frames that the hindsight curve speaks about."""
    assert episode.hindsight is not None
    meta = episode.hindsight.meta
    return slice(int(meta["trim_start"]), int(meta["trim_end"]) + 1)


def hindsight_values(episode: ScoredEpisode) -> Floats:
    """Return the trimmed curve (T,) in 0..1; raises DataError for values far outside."""
    assert episode.hindsight is not None
    values = episode.hindsight.values.astype(np.float64)
    if values.size and (values.min() < -SLACK or values.max() > 1 + SLACK):
        raise DataError(
            episode.name, f"has values from {values.min():.3f} to {values.max():.3f}", "0..1",
            "Score it with --value-mapping linear_offset_scale.",
        )  # fmt: skip
    clipped: Floats = np.clip(values, 0.0, 1.0)
    return clipped


def whole_curve(episode: ScoredEpisode, name: CurveName, recorded: int | None = None) -> ValueCurve:
    """Return a curve with one value per raw frame; raises DataError when there is none.

    recorded: frames of the recording, see `frames_of`; raises DataError when they do not fit.
    Trimming cuts off frames in which nothing moves, so there the nearest value holds.
    """
    count = frames_of(episode, recorded)
    if name == CAUSAL and episode.causal is not None:
        return episode.causal.curve
    if name == CAUSAL or episode.hindsight is None:
        raise DataError(episode.name, f"has no {name} curve", "one that was written")
    kept = trimmed(episode)
    inside = np.clip(np.arange(count), kept.start, kept.stop - 1) - kept.start
    stamps = (
        np.arange(count, dtype=np.int64) if episode.causal is None else episode.causal.stamps_ns
    )
    values = hindsight_values(episode)[inside]
    return ValueCurve(values, stamps, causal=False, unknown=np.zeros(count, np.bool_))


def clear_falls(values: Floats, rate_hz: float) -> NDArray[np.int64]:
    """Return the frames at which a clear fall begins."""
    frames = max(1, round(FALL_S * (rate_hz or 10.0)))
    return fall_onsets(values, FALL, frames)
