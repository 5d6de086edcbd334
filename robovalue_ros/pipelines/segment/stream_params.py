"""The parameter file that people have (params.yaml), as options of `robovalue segment stream`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.data.settings import read_yaml
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig

# Where each key goes: group.field of the options.
KEYS: dict[str, str] = {
    "decoder_window_size": "cut.decoder_window_size",
    "device": "run.device",
    "amp": "run.amp",
    "visualize": "look.show",
    "show_overlay": "look.show_overlay",
    "window_title": "look.window_title",
    "input.video_exts": "input.video_exts",
    "input.recursive": "input.recursive",
    "input.eof_timeout_seconds": "input.eof_timeout_seconds",
    "input.video_name_template": "input.video_name_template",
    "input.batch.gpu_ids": "run.gpu_ids",
    "target_fps": "cut.target_fps",
    "resize_shorter": "cut.resize_shorter",
    "stride": "cut.stride",
    "display_fps": "run.display_fps",
    "pre_gate.enable": "gates.pre_gate",
    "pre_gate.resize_shorter": "gates.pre_gate_resize",
    "pre_gate.pixel_diff_thr": "gates.pixel_diff_thr",
    "pre_gate.mad_thr": "gates.mad_thr",
    "pre_gate.min_active_ratio": "gates.pre_gate_active",
    "motion_gate.enable": "gates.motion_gate",
    "motion_gate.vel_norm_thr": "gates.vel_norm_thr",
    "motion_gate.min_active_ratio": "gates.motion_gate_active",
    "jsonl_output": "output.jsonl_output",
    "jsonl_path": "output.jsonl_path",
    "energy.source": "cut.energy_source",
    "energy.mode": "cut.energy_mode",
    "energy.jsonl_output": "output.energy_jsonl",
    "energy.jsonl_path": "output.energy_jsonl_path",
    "energy.window_title": "look.plot_title",
    "energy.viz_window": "look.viz_window",
    "energy.plot_width": "look.plot_width",
    "energy.plot_height": "look.plot_height",
    "energy.y_min": "look.y_min",
    "energy.y_max": "look.y_max",
    "energy.plot_color": "look.plot_color",
    "energy.viz_style": "look.viz_style",
    "energy.theme": "look.theme",
    "energy.smoothing.enable": "cut.smooth",
    "energy.smoothing.method": "cut.smooth_method",
    "energy.smoothing.alpha": "cut.alpha",
    "energy.smoothing.window": "cut.smooth_window",
    "energy.smoothing.use_for_seg": "cut.use_for_seg",
    "energy.smoothing.visualize_both": "look.visualize_both",
    "segmentation.enable": "cut.segment",
    "segmentation.mode": "cut.threshold_mode",
    "segmentation.threshold": "cut.threshold",
    "segmentation.report_path": "cut.report_path",
    "segmentation.report_key": "cut.report_key",
    "segmentation.min_len_windows": "cut.min_len_windows",
    "segmentation.output_dir": "output.output_dir",
    "segmentation.codec": "output.codec",
    "segmentation.ext": "output.ext",
    "segmentation.align": "cut.align",
    "segmentation.hysteresis_ratio": "cut.hysteresis_ratio",
    "segmentation.up_count": "cut.up_count",
    "segmentation.down_count": "cut.down_count",
    "segmentation.cooldown_windows": "cut.cooldown_windows",
    "segmentation.max_duration_seconds": "cut.max_duration_seconds",
    "segmentation.max_duration_windows": "cut.max_duration_windows",
    "segmentation.export_codes": "cut.export_codes",
    "segmentation.codes_min_overlap_ratio": "cut.codes_min_overlap_ratio",
    "segmentation.min_codes_windows": "cut.min_codes_windows",
    "segmentation.skip_if_exists": "output.skip_if_exists",
    "segmentation.allow_overlap": "cut.allow_overlap",
    "segmentation.export_segments_json": "output.export_segments_json",
    "segmentation.segments_json_suffix": "output.segments_json_suffix",
    "export.prequant": "output.prequant",
    "export.prequant_dir": "output.prequant_dir",
    "perf.jsonl_output": "output.perf_jsonl",
    "perf.summary_output": "output.perf_summary",
    "perf.jsonl_path": "output.perf_jsonl_path",
    "perf.summary_dir": "output.perf_summary_dir",
}
# Keys that mean something together, read below.
JOINT = (
    "checkpoint_path", "checkpoint_dir", "checkpoint_name", "input.type", "input.path", "input.url",
    "input.dir", "input.camera_index", "input.batch.enable_parallel",
    "input.batch.max_procs_per_gpu", "max_windows", "energy.enable", "energy.visualize",
)  # fmt: skip
# Keys that have no work here: nothing to log in to, no memory to watch, one way to compare pixels.
WITHOUT_EFFECT = (
    "auth", "debug_fsq", "debug_memory.enable", "debug_memory.interval_windows",
    "debug_memory.empty_cache", "debug_memory.empty_cache_interval", "pre_gate.debug",
    "pre_gate.diff_method", "motion_gate.debug", "input.batch.poll_interval_seconds", "model_config",
)  # fmt: skip
# What a file means by leaving a key out, where that differs from our own defaults.
ABSENT: dict[str, Any] = {
    "cut.segment": False,
    "cut.threshold": 10.625,
    "cut.energy_source": "quantized",
    "cut.allow_overlap": False,
    "output.energy_jsonl": False,
    "look.show": True,
    "look.viz_style": "basic",
    "run.amp": True,
}
FROM_REPORT = ("report", "from_report", "best_from_report")


def read_params(path: Path) -> tuple[SegmentStreamConfig, tuple[str, ...]]:
    """Return what a parameter file asks for, and its keys that have no effect here.

    Raises ConfigError for an unknown key, naming the nearest, and for values that do not fit.
    """
    return from_params(read_yaml(path), str(path))


def from_params(
    content: Mapping[str, Any], where: str = "params"
) -> tuple[SegmentStreamConfig, tuple[str, ...]]:
    """Return the options in a parameter file's content; see `read_params`."""
    flat = _flat(content, where)
    chosen = dict(ABSENT)
    for key, place in KEYS.items():
        if flat.get(key) is not None:
            chosen[place] = flat[key]
    chosen |= _joint(flat, where)
    groups: dict[str, Any] = {}
    for place, value in chosen.items():
        group, _, name = place.partition(".")
        if name:
            groups.setdefault(group, {})[name] = value
        else:
            groups[group] = value
    idle = tuple(key for key in flat if key in WITHOUT_EFFECT and flat[key])
    return from_mapping(SegmentStreamConfig, groups, where), idle


def _flat(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return values by dotted key; raises ConfigError for a key that nobody knows."""
    known = {*KEYS, *JOINT, *WITHOUT_EFFECT}
    sections = {key.rpartition(".")[0] for key in known} | {"input.batch"}
    flat: dict[str, Any] = {}

    def walk(values: Mapping[str, Any], prefix: str) -> None:
        for key, value in values.items():
            name = f"{prefix}{key}"
            if name in known:
                flat[name] = value
            elif name in sections and value is None:
                continue
            elif name in sections and isinstance(value, Mapping):
                walk(value, f"{name}.")
            elif name in sections:
                raise ConfigError(f"{where}: {name} is {value!r}", "a section with keys")
            else:
                raise ConfigError(
                    f"{where} has an unknown key {name!r}", hint=nearest(name, known | sections)
                )

    walk(content, "")
    return flat


def _joint(flat: Mapping[str, Any], where: str) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    checkpoint = flat.get("checkpoint_path")
    if not checkpoint and flat.get("checkpoint_dir") and flat.get("checkpoint_name"):
        checkpoint = str(Path(str(flat["checkpoint_dir"])) / str(flat["checkpoint_name"]))
    if checkpoint:
        chosen["run.tokenizer"] = str(checkpoint)
    chosen |= _input(flat, where)
    if flat.get("input.batch.enable_parallel"):
        gpus = flat.get("input.batch.gpu_ids") or [0]
        each = flat.get("input.batch.max_procs_per_gpu") or 1
        chosen["run.workers"] = len(gpus) * int(each)
    limit = flat.get("max_windows")
    if limit is not None:
        chosen["run.max_windows"] = max(0, int(limit))
    if flat.get("energy.enable") is False:
        chosen["output.energy_jsonl"] = False
    if flat.get("energy.visualize"):
        chosen["look.show"] = True
    mode = flat.get("segmentation.mode")
    if mode in FROM_REPORT:
        chosen["cut.threshold_mode"] = "report"
    colour = flat.get("energy.plot_color")
    if colour is not None:
        chosen["look.plot_color"] = list(colour)
    exts = flat.get("input.video_exts")
    if isinstance(exts, str):
        chosen["input.video_exts"] = exts.split()
    return chosen


def _input(flat: Mapping[str, Any], where: str) -> dict[str, Any]:
    kind = flat.get("input.type") or "camera"
    places = {
        "camera": str(flat.get("input.camera_index") or 0),
        "file": str(flat.get("input.path") or ""),
        "rtsp": str(flat.get("input.url") or ""),
        "folder": str(flat.get("input.dir") or flat.get("input.path") or ""),
    }
    if kind not in places:
        raise ConfigError(f"{where}: input.type is {kind!r}", f"one of {', '.join(places)}")
    if not places[kind]:
        key = {"file": "path", "rtsp": "url", "folder": "dir"}[kind]
        raise ConfigError(f"{where}: input.{key} is missing", f"where the {kind} is")
    return {"input.kind": kind, "source": places[kind]}
