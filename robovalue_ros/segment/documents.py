"""What is written about actions, as plain values for JSON: the keys that people's files have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from robovalue_ros.segment.events import SegmentClosed
from robovalue_ros.segment.naming import segment_label
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.warm_up import is_watching
from robovalue_ros.segment.windows import Schedule


def segment_entry(closed: SegmentClosed, fps: float) -> dict[str, Any]:
    """Return an action of the list of segments. fps: of the source, whose frames are counted."""
    start, last = closed.first.source, closed.last.source
    begin = start / fps
    return {
        "start_sec": begin,
        "end_sec": begin + (last - start + 1) / fps,
        "label": segment_label(closed.number),
    }


def segmentation_params(options: StreamOptions, mode: str, orig_fps: float) -> dict[str, Any]:
    """Return how a video was cut. mode: where the threshold came from; none: it was not found yet."""
    guards = options.hysteresis
    return {
        "threshold": None if is_watching(options) else guards.threshold,
        "mode": mode,
        "hysteresis_ratio": guards.hysteresis_ratio,
        "up_count": guards.up_count,
        "down_count": guards.down_count,
        "cooldown_windows": guards.cooldown_windows,
        "min_len_windows": options.selection.min_len_windows,
        "stride": options.stride,
        "target_fps": options.target_fps,
        "orig_fps": orig_fps,
    }


def segments_document(
    video: str,
    closed: Sequence[SegmentClosed],
    options: StreamOptions,
    *,
    mode: str,
    fps: float,
    duration_s: float | None,
    processed_at: str,
) -> dict[str, Any]:
    """Return the list of a video's kept actions. processed_at: UTC, ISO 8601."""
    return {
        "video": video,
        "segments": [segment_entry(one, fps) for one in closed if one.kept],
        "video_duration_sec": duration_s,
        "fps": fps,
        "processed_at": processed_at,
        "segmentation_params": segmentation_params(options, mode, fps),
    }


def codes_document(
    closed: SegmentClosed,
    options: StreamOptions,
    clip_path: str,
    codebook: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the motion codes of an action, and where they come from.

    Frames are those that were looked at; both ends are inside. codebook: what is known of the
    tokenizer's, so that readers need not guess its size from the codes that happen to occur.
    """
    selection = options.selection
    document = {
        "codes_windows": [one.tokens.codes.tolist() for one in closed.codes],
        "quantized_windows": [one.tokens.quantized.tolist() for one in closed.codes],
        "selected_win_idxs": [one.window for one in closed.codes],
        "overlap_ratio_threshold": selection.codes_min_overlap_ratio,
        "segment": {
            "start_frame": closed.first.index,
            "end_frame": closed.last.index,
            "start_win": closed.windows[0],
        },
        "window": {"T": options.window, "stride": options.stride, "target_fps": options.target_fps},
        "align": selection.align,
        "video_segment_path": clip_path,
        "source": "stream_online",
        "allow_overlap": selection.allow_overlap,
    }
    return {**document, "meta": dict(codebook)} if codebook else document


def energy_line(window: int, energy: float, source: str, mode: str) -> dict[str, int | float | str]:
    """Return one line of an energy file. window: the number of the window in its video."""
    return {"window": window, "energy": energy, "source": source, "mode": mode}


def window_seconds(schedule: Schedule, window: int, fps: float) -> tuple[float, float]:
    """Return when a window begins and ends in an even recording of `fps`."""
    start, stop = schedule.span(window)
    return start / fps, stop / fps
