"""The functions behind the entries of segmenter.json about windows, energies and segments.

Streams run with compat. Two defects of older streams are modelled here and nowhere else: a dropped
window shifted the pairing of all later ones, and what was open at the end got no codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from robovalue_ros.segment.boundaries import boundaries, greedy_agreement
from robovalue_ros.segment.documents import codes_document, segment_entry, segmentation_params
from robovalue_ros.segment.energy import token_energy, velocity_energy
from robovalue_ros.segment.events import FramesAppended, SegmentClosed, SegmentOpened
from robovalue_ros.segment.gates import (
    GateAnswer,
    MotionGateOptions,
    PreGateOptions,
    motion_gate,
    pre_gate,
)
from robovalue_ros.segment.grid import reference_grid, reference_grid_points
from robovalue_ros.segment.ground_truth import truth_candidates
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.mean_precision import FoundSegment, average_precision
from robovalue_ros.segment.naming import clip_name, codes_name, energy_path
from robovalue_ros.segment.options import StreamOptions
from robovalue_ros.segment.pictures import area_gray
from robovalue_ros.segment.resample import DoubleStartClock, decimation_step, time_driven_indices
from robovalue_ros.segment.segmenter import Segmenter, stored_reading
from robovalue_ros.segment.selection import SelectionOptions
from robovalue_ros.segment.series import grouped, series_segments
from robovalue_ros.segment.smoothing import Smoother, SmoothingOptions, smoothed
from robovalue_ros.segment.threshold import best_thresholds, otsu
from robovalue_ros.segment.tracks import normalised
from robovalue_ros.segment.windows import resized_shape

Answer = dict[str, Any]
GUARDS = set(HysteresisOptions.__dataclass_fields__)
CHOICES = set(SelectionOptions.__dataclass_fields__)


def slot_clock(ts: Sequence[float], target_fps: float) -> list[bool]:
    clock = DoubleStartClock(target_fps)
    return [clock.keep(now) for now in ts]


def grid(n_tracks: int, H: int) -> list[Any]:
    pixels = reference_grid_points(n_tracks, H)
    return [reference_grid(n_tracks), np.insert(pixels, 0, 0.0, axis=1)]


def gate_pixels(frames: Any, debug: bool = False, **given: Any) -> Answer:
    options = PreGateOptions(**given)
    pictures = np.array(frames, np.uint8)
    shape = resized_shape(*pictures.shape[1:3], options.resize_shorter)
    answer = pre_gate(
        np.stack([area_gray(picture, shape) for picture in pictures[..., ::-1]]), options
    )
    return {**_dropped(answer, options.enable), "mad": answer.mean, "active_ratio": answer.active}


def gate_motion(vel: Any, debug: bool = False, **given: Any) -> Answer:
    options = MotionGateOptions(**given)
    answer = motion_gate(np.array(vel, np.float32), options)
    return {
        **_dropped(answer, options.enable), "l2_mean": answer.mean, "active_ratio": answer.active
    }  # fmt: skip


def _dropped(answer: GateAnswer, enabled: bool) -> Answer:
    return {"dropped": enabled and answer.dropped}


def energy(source: str, mode: str, Z: Any) -> float | None:
    vectors = None if Z is None else np.array(Z, np.float32)
    if vectors is None or source not in ("velocity", "quantized", "prequant"):
        return None
    if source == "velocity":
        return velocity_energy(vectors)
    return token_energy(vectors, mode, compat=True)


def smooth(x: Any, method: str = "ema", alpha: float | None = 0.4, window: int = 3) -> Answer:
    options = _smoothing(enable=True, method=method, alpha=alpha, window=window)
    smoother = Smoother(options)
    known = method in ("ema", "ma")
    whole = smoothed(x, options).astype(np.float32) if known else np.array(x, np.float32)
    return {"stream": [smoother.push(value) for value in x], "batch": whole}


def best(
    x: Any, v: Any, label_threshold: str = "auto", smooth_args: Mapping[str, Any] | None = None
) -> Answer:
    given = {key.removeprefix("smooth_"): value for key, value in (smooth_args or {}).items()}
    given.setdefault("enable", given.pop("enabled", given.pop("smooth", smooth_args is not None)))
    options = _smoothing(**given)
    series = smoothed(x, options)
    series = series.astype(np.float32) if options.enable else series
    spec = label_threshold if label_threshold.startswith(("quantile:", "value:")) else "auto"
    found = best_thresholds(series, np.array(v), spec, comparison="above").to_mapping(options)
    return {**found, "label_spec": label_threshold}


def _smoothing(**given: Any) -> SmoothingOptions:
    if given.get("alpha", 0.0) is None:
        given["alpha"] = float("nan")
    return SmoothingOptions(**given)


def spans(series: Any, thr_on: float, **given: Any) -> list[list[int]]:
    found = series_segments(series, HysteresisOptions(threshold=thr_on, **given))
    return [[start, stop - 1] for start, stop in found]


def boundary_f1(pred: Any, gt: Any, duration: float, tol: float) -> Answer:
    ours, theirs = (boundaries(segments, duration, distinct=False) for segments in (pred, gt))
    found = greedy_agreement(ours, theirs, tol)
    return {
        "f1": found.f1, "precision": found.precision, "recall": found.recall, "tp": found.tp,
        "num_gt": found.true, "num_pred": found.predicted,
    }  # fmt: skip


def map_iou(preds: Any, gts: Any, thrs: Any) -> Answer:
    found = [FoundSegment(video, tuple(span), sure) for video, span, sure in preds]
    return {f"mAP@{thr:g}": average_precision(found, gts, thr) for thr in thrs}


def path_of_energies(
    base: str, video: str, source: str, mode: str, seg_enable: bool, seg_dir: str
) -> str:
    return energy_path(base, video, source, mode, seg_dir if seg_enable else None)


class _Tokens:
    """Stored codes of a window, as a segmenter takes them."""

    def __init__(self, codes: Sequence[int]) -> None:
        self.codes = np.array(codes, np.int64)
        self.prequant = self.quantized = np.zeros((len(codes), 1), np.float32)


def stream(
    energies: Sequence[float | None],
    codes: Sequence[Sequence[int] | None] | None = None,
    seg: Mapping[str, Any] | None = None,
    stride: int = 4,
    target_fps: float = 20,
    horizon: int = 16,
    smoothing: Mapping[str, Any] | None = None,
    orig_fps: float = 25.0,
    tail_frames: int = 1,
    dropped: Sequence[int] = (),
) -> Answer:
    """Push stored energies through the segmenter, in compat.

    dropped: windows without a result; the others' results were numbered as they arrived. Without a
    frame after the last window, its result was never collected.
    """
    options = _stream_options(seg or {}, smoothing or {}, stride, target_fps, horizon - 1)
    said = [[window] * 2 for window in range(len(energies))] if codes is None else codes
    arrived = [window for window in range(len(energies)) if window not in dropped]
    if tail_frames < 1 and arrived and arrived[-1] == len(energies) - 1:
        arrived.pop()
    segmenter = Segmenter(options, has_codes=True)
    events: list[Any] = []
    lines = 0
    for number, window in enumerate(arrived):
        tokens = None if said[window] is None else _Tokens(said[window])
        reading = stored_reading(
            options.schedule, number, energies[window], tokens, fps=orig_fps
        )  # fmt: skip
        events.extend(segmenter.absorb(reading).events)
        lines += energies[window] is not None
    last = segmenter.finish()
    told = _told([*events, last] if last is not None else events, options, orig_fps)
    return {**told, "params": segmentation_params(options, "fixed", orig_fps),
            "energy_files": ["stream_energy_quantized_token_diff_l2_mean.jsonl"],
            "energy_lines": lines}  # fmt: skip


def _stream_options(
    seg: Mapping[str, Any], smoothing: Mapping[str, Any], stride: int, fps: float, window: int
) -> StreamOptions:
    known = {"threshold": 1.0, "allow_overlap": False, **seg}
    guards = {key: value for key, value in known.items() if key in GUARDS}
    choices = {key: value for key, value in known.items() if key in CHOICES}
    rest = set(known) - GUARDS - CHOICES - {"mode", "enable"}
    assert not rest, f"unknown options {sorted(rest)}"
    return StreamOptions(
        target_fps=fps, window=window, stride=stride, resample="native", compat="reference",
        hysteresis=HysteresisOptions(**guards), selection=SelectionOptions(**choices),
        smoothing=_smoothing(**smoothing),
    )  # fmt: skip


def _told(events: Sequence[Any], options: StreamOptions, fps: float) -> Answer:
    clips: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    told: Answer = {"segments": [], "clips": {}, "codes": {}}
    for event in events:
        if isinstance(event, SegmentOpened):
            names[event.number] = clip_name(event.number, event.window)
            clips[event.number] = []
        elif isinstance(event, FramesAppended):
            clips[event.number].extend(range(event.start, event.stop))
        elif isinstance(event, SegmentClosed) and _was_kept(event):
            name, frames = names[event.number], clips[event.number]
            told["segments"].append(segment_entry(event, fps))
            told["clips"][name] = [frames[0], frames[-1], len(frames)]
            if not event.at_end and options.selection.export_codes:
                told["codes"][codes_name(name)] = codes_document(event, options, name)
    return {**told, "started": list(names.values())}


def _was_kept(closed: SegmentClosed) -> bool:
    return closed.kept or (closed.at_end and closed.why == "too few codes")


CALLS: dict[str, Callable[..., Any]] = {
    "time_resampler": slot_clock,
    "decimation_step": decimation_step,
    "time_driven": lambda count, fps_in, target_fps: time_driven_indices(count, fps_in, target_fps),
    "resize_shape": lambda h, w, shorter: list(resized_shape(h, w, shorter)),
    "grid_points": grid,
    "normalize_traj": lambda tracks_rc, img_shape: normalised(
        np.nan_to_num(np.array(tracks_rc, np.float64), posinf=0.0, neginf=0.0),
        (img_shape[0], img_shape[1]),
    ),
    "pre_gate": gate_pixels,
    "motion_gate": gate_motion,
    "energy": energy,
    "smooth": smooth,
    "otsu": lambda x: otsu(np.array(x, np.float64)),
    "best_threshold": best,
    "offline_segments": spans,
    "gt_candidates": lambda values: truth_candidates(np.array(values, np.float64)),
    "aggregate_stride": lambda values, stride: grouped(values, stride),
    "boundary_f1": boundary_f1,
    "map_iou": map_iou,
    "per_video_energy_path": path_of_energies,
    "stream": stream,
}
