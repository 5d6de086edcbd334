"""Every option of `robovalue segment stream`, and how they become those of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.backends.trackers.choice import TrackerChoice
from robovalue_ros.contracts.config import option, same_as
from robovalue_ros.contracts.tools import ReadOptions
from robovalue_ros.segment.energy import EnergyMode, EnergySource
from robovalue_ros.segment.gates import MotionGateOptions, PreGateOptions
from robovalue_ros.segment.hysteresis import HysteresisOptions
from robovalue_ros.segment.options import (
    Compat,
    EnergyOptions,
    GridKind,
    Resampling,
    StreamOptions,
)
from robovalue_ros.segment.selection import Align, SelectionOptions
from robovalue_ros.segment.smoothing import SmoothingMethod, SmoothingOptions
from robovalue_ros.segment.windows import REFERENCE_WINDOW, WINDOW

Kind = Literal["auto", "camera", "file", "rtsp", "folder", "dataset"]
ThresholdMode = Literal["fixed", "report", "auto"]
Style = Literal["basic", "enhanced"]
REPORT_KEY = "quantized_token_diff_best.best_f1.thr"
OVERRIDE = "MT_OVERRIDE_INPUT_PATH"


@dataclass(frozen=True)
class InputOptions:
    """Where frames come from."""

    kind: Kind = option("auto", "what the source is; auto: by its look")
    video_exts: tuple[str, ...] = option(
        ("mp4", "mov", "avi", "mkv"), "endings of the videos in a folder"
    )
    recursive: bool = option(True, "look into folders of a folder")
    video_name_template: str = option(
        "", "name of a video's results: {name}, and {id} for what stands before the first _"
    )
    eof_timeout_seconds: float = option(
        1.0, "a live source that is silent this long has ended", low=0.01, high=1e6
    )


@dataclass(frozen=True)
class ActionOptions:
    """How frames become windows, energies and actions, at every door."""

    target_fps: float = same_as(StreamOptions, "target_fps")
    resize_shorter: int = same_as(StreamOptions, "resize_shorter")
    window: int = same_as(StreamOptions, "window")
    stride: int = same_as(StreamOptions, "stride")
    num_tracks: int = same_as(StreamOptions, "num_tracks")
    grid: GridKind = same_as(StreamOptions, "grid")
    energy_source: EnergySource = same_as(EnergyOptions, "source")
    energy_mode: EnergyMode = same_as(EnergyOptions, "mode")
    smooth: bool = same_as(SmoothingOptions, "enable")
    smooth_method: SmoothingMethod = same_as(SmoothingOptions, "method")
    alpha: float = same_as(SmoothingOptions, "alpha")
    smooth_window: int = same_as(SmoothingOptions, "window")
    use_for_seg: bool = same_as(SmoothingOptions, "use_for_seg")
    threshold_mode: ThresholdMode = option(
        "fixed",
        "fixed: --threshold; report: a number of a report; auto: what parts motion from stillness "
        "in this video (Otsu), found in a pass of its own or while a live source warms up",
    )
    threshold: float | None = option(
        None, "energy from which an action begins; none: 0.002, which fits velocities only"
    )
    report_path: Path | None = option(None, "report of `robovalue segment sweep`")
    report_key: str = option(REPORT_KEY, "where in the report the threshold stands, with dots")
    warmup_seconds: float = option(
        20.0, "how long a live source is only watched with threshold auto", low=1.0, high=86_400.0
    )
    hysteresis_ratio: float = same_as(HysteresisOptions, "hysteresis_ratio")
    up_count: int = same_as(HysteresisOptions, "up_count")
    down_count: int = same_as(HysteresisOptions, "down_count")
    cooldown_windows: int = same_as(HysteresisOptions, "cooldown_windows")
    max_duration_seconds: float = same_as(HysteresisOptions, "max_duration_seconds")
    max_duration_windows: int = same_as(HysteresisOptions, "max_duration_windows")
    min_len_windows: int = same_as(SelectionOptions, "min_len_windows")
    align: Align = same_as(SelectionOptions, "align")
    export_codes: bool = same_as(SelectionOptions, "export_codes")
    codes_min_overlap_ratio: float = same_as(SelectionOptions, "codes_min_overlap_ratio")
    min_codes_windows: int = same_as(SelectionOptions, "min_codes_windows")
    allow_overlap: bool = same_as(SelectionOptions, "allow_overlap")
    decoder_window_size: int = same_as(StreamOptions, "decoder_window_size")
    compat: Compat = same_as(StreamOptions, "compat")


@dataclass(frozen=True)
class CutOptions(ActionOptions):
    """How the frames of a source become actions."""

    segment: bool = option(True, "cut into actions; off: only energies are written")
    resample: Resampling = same_as(StreamOptions, "resample")


@dataclass(frozen=True)
class GateOptions:
    """What still windows are spared."""

    pre_gate: bool = same_as(PreGateOptions, "enable")
    pre_gate_resize: int = same_as(PreGateOptions, "resize_shorter")
    pixel_diff_thr: float = same_as(PreGateOptions, "pixel_diff_thr")
    mad_thr: float = same_as(PreGateOptions, "mad_thr")
    pre_gate_active: float = same_as(PreGateOptions, "min_active_ratio")
    motion_gate: bool = same_as(MotionGateOptions, "enable")
    vel_norm_thr: float = same_as(MotionGateOptions, "vel_norm_thr")
    motion_gate_active: float = same_as(MotionGateOptions, "min_active_ratio")


@dataclass(frozen=True)
class OutputOptions:
    """What is written for each video, into a folder of its name."""

    output_dir: Path = option(Path("segments"), "folder of all results")
    clips: bool = option(True, "write a clip of each action")
    codec: str = option("mp4v", "of the clips: mp4v, or h264, which browsers play")
    ext: str = option(".mp4", "ending of the clips")
    export_segments_json: bool = option(True, "write the list of actions")
    segments_json_suffix: str = option("_segments", "what its name has after the video's")
    skip_if_exists: bool = option(True, "leave finished videos alone; off: cut them again")
    energy_jsonl: bool = option(True, "write each window's energy")
    energy_jsonl_path: str = option(
        "stream_energy.jsonl",
        "name of that file; may hold {video_name}, {source}, {mode}; its folder counts when nothing is cut",
    )
    jsonl_output: bool = option(False, "write each window's codes")
    jsonl_path: str = option("stream_codes.jsonl", "name of that file")
    perf_jsonl: bool = option(True, "write how long each window took")
    perf_jsonl_path: str | None = option(
        None, "that file; none: stream_perf.jsonl beside the clips"
    )
    perf_summary: bool = option(True, "write a summary of that")
    perf_summary_dir: Path | None = option(None, "folder of summaries; none: beside the clips")
    prequant: bool = option(False, "write the tokens of each window before rounding")
    prequant_dir: Path | None = option(None, "folder for them; none: beside the clips")
    plot: bool = option(False, "draw the energy with its thresholds as a picture")
    overlay: bool = option(False, "write the video with energy and state drawn on it")


@dataclass(frozen=True)
class LookOptions:
    """How the energy is drawn."""

    show: bool = option(False, "open a window while it runs; q closes it")
    show_overlay: bool = option(True, "write state and times on the pictures")
    window_title: str = option("MotionTokenizer Stream", "title of the window")
    viz_style: Style = option("enhanced", "basic: one line on black; enhanced: axes and numbers")
    theme: str = option(
        "academic_blue", "colours: academic_blue, nature_green, ieee_red, minimal_gray"
    )
    plot_title: str = option("Energy Curve", "title of the curve")
    viz_window: int = option(300, "windows that the live curve shows", low=2, high=1_000_000)
    plot_width: int = option(600, "width of the curve in pixels", low=120, high=10_000)
    plot_height: int = option(200, "height of the curve in pixels", low=80, high=10_000)
    y_min: float | None = option(None, "lower end of the axis; none: by what is shown")
    y_max: float | None = option(None, "upper end of the axis; none: by what is shown")
    plot_color: tuple[int, ...] = option(
        (0, 255, 0), "colour of the line in style basic: blue, green, red"
    )
    visualize_both: bool = option(True, "draw the raw energy beside the smoothed one")


@dataclass(frozen=True)
class RunOptions:
    """How the work is done."""

    tokenizer: Path | None = option(
        None, "trained motion tokenizer: .safetensors, .pt or a run's folder; none: no codes"
    )
    device: str = option("auto", "where networks run: auto, cpu, cuda, cuda:1")
    gpu_id: int | None = option(None, "number of the GPU, with device auto or cuda", low=0)
    gpu_ids: tuple[int, ...] = option((), "GPUs that workers take turns on")
    amp: bool = option(False, "half precision on a GPU")
    workers: int = option(1, "processes for a folder, each with one thread", low=1, high=256)
    realtime: bool = option(False, "play files at the speed they were recorded at")
    max_windows: int = option(0, "stop after so many windows of a video; 0: at its end", low=0)
    display_fps: float = option(
        0.0, "rate at which the window is drawn; 0: as frames come", low=0.0, high=1000.0
    )


@dataclass(frozen=True)
class SegmentStreamConfig:
    """`robovalue segment stream`."""

    source: str | None = option(
        None, "video, folder, data set, bag, URL of a stream, or number of a camera",
        positional=True,
    )  # fmt: skip
    params: Path | None = option(
        None, "parameter file of existing set-ups (params.yaml); what else is told counts more"
    )
    input: InputOptions = option(InputOptions, "where frames come from")
    cut: CutOptions = option(CutOptions, "how actions are found")
    gates: GateOptions = option(GateOptions, "what still windows are spared")
    output: OutputOptions = option(OutputOptions, "what is written")
    look: LookOptions = option(LookOptions, "how the energy is drawn")
    run: RunOptions = option(RunOptions, "how the work is done")
    follow: TrackerChoice = option(TrackerChoice, "what follows the points")
    read: ReadOptions = option(ReadOptions, "how to read data sets")


def stream_options(config: SegmentStreamConfig, threshold: float) -> StreamOptions:
    """Return the options of a stream over recorded frames."""
    cut, gates = config.cut, config.gates
    reference = cut.compat == "reference"
    window = REFERENCE_WINDOW if reference and cut.window == WINDOW else cut.window
    return StreamOptions(
        target_fps=cut.target_fps,
        resample="native" if reference else cut.resample,
        resize_shorter=cut.resize_shorter,
        window=window,
        stride=cut.stride,
        num_tracks=cut.num_tracks,
        grid=cut.grid,
        energy=EnergyOptions(cut.energy_source, cut.energy_mode),
        smoothing=SmoothingOptions(
            cut.smooth, cut.smooth_method, cut.alpha, cut.smooth_window, cut.use_for_seg
        ),
        pre_gate=PreGateOptions(
            gates.pre_gate, gates.pre_gate_resize, gates.pixel_diff_thr, gates.mad_thr,
            gates.pre_gate_active,
        ),
        motion_gate=MotionGateOptions(
            gates.motion_gate, gates.vel_norm_thr, gates.motion_gate_active
        ),
        hysteresis=HysteresisOptions(
            threshold, cut.hysteresis_ratio, cut.up_count, cut.down_count, cut.cooldown_windows,
            cut.max_duration_seconds, cut.max_duration_windows,
        ),
        selection=SelectionOptions(
            cut.align, cut.min_len_windows, cut.export_codes, cut.codes_min_overlap_ratio,
            cut.min_codes_windows, cut.allow_overlap,
        ),
        decoder_window_size=cut.decoder_window_size,
        compat=cut.compat,
    )  # fmt: skip
