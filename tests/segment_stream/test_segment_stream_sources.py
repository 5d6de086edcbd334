"""Where frames come from: parameter files, data sets, live cameras; and memory that stays flat."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from cutting import config_for, cut, lines_of, make_videos, opener_of, parts, two_moves
from films import film, write_film

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.fakes import FakeReader
from robovalue_ros.contracts.frames import ArrayFrames, FrameSource, Image
from robovalue_ros.contracts.types import Episode
from robovalue_ros.pipelines.segment.stream_config import OVERRIDE
from robovalue_ros.pipelines.segment.stream_cut import Parts, cut_live, cut_recorded
from robovalue_ros.pipelines.segment.stream_live import LiveFrames
from robovalue_ros.pipelines.segment.stream_params import (
    JOINT,
    KEYS,
    WITHOUT_EFFECT,
    from_params,
    read_params,
)
from robovalue_ros.pipelines.segment.stream_results import results_folder
from robovalue_ros.pipelines.segment.stream_sources import Footage, Item, find_items, renamed
from robovalue_ros.wiring import open_reader

SHIPPED = """
checkpoint_path: model/best.pt
decoder_window_size: 480
device: auto
amp: true
visualize: false
input:
  type: folder
  dir: videos
  video_exts: [mp4, mov, avi, mkv]
  recursive: true
  eof_timeout_seconds: 1.0
  batch: {enable_parallel: true, gpu_ids: [0, 1], max_procs_per_gpu: 2, poll_interval_seconds: 0.2}
target_fps: 10
resize_shorter: 320
stride: 4
display_fps: 10
max_windows: 0
pre_gate: {enable: true, resize_shorter: 128, diff_method: mad, pixel_diff_thr: 0.02, mad_thr: 0.005,
  min_active_ratio: 0.05, debug: false}
motion_gate: {enable: true, vel_norm_thr: 0.02, min_active_ratio: 0.025, debug: false}
jsonl_output: true
jsonl_path: ./inference_outputs/stream_codes.jsonl
energy:
  enable: true
  source: quantized
  mode: token_diff_l2_mean
  jsonl_output: true
  jsonl_path: ./inference_outputs/stream_energy.jsonl
  visualize: false
  window_title: Energy Curve
  viz_window: 400
  plot_width: 720
  plot_height: 520
  y_min: null
  y_max: null
  plot_color: [0, 255, 0]
  viz_style: enhanced
  theme: academic_blue
  smoothing: {enable: true, method: ema, alpha: 0.7, window: 3, use_for_seg: true, visualize_both: true}
segmentation:
  enable: true
  mode: report
  threshold: 1.9326171875
  report_path: ./best_threshold_quantized_token_diff.json
  report_key: quantized_token_diff_best.best_f1.thr
  min_len_windows: 2
  output_dir: ./output/segmentation_outputs
  codec: mp4v
  ext: .mp4
  align: center
  hysteresis_ratio: 0.95
  up_count: 2
  down_count: 2
  cooldown_windows: 1
  max_duration_seconds: 2.0
  export_codes: true
  codes_min_overlap_ratio: 0.25
  min_codes_windows: 2
  skip_if_exists: true
  allow_overlap: true
export: {prequant: false, prequant_dir: ./stream_prequant}
auth: {}
debug_fsq: false
"""


def test_the_parameter_file_of_today_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED)
    config, idle = read_params(path)
    assert config.source == "videos" and config.input.kind == "folder"
    assert config.run.tokenizer == Path("model/best.pt") and config.run.workers == 4
    cut_by = config.cut
    assert (cut_by.target_fps, cut_by.resize_shorter, cut_by.alpha) == (10.0, 320, 0.7)
    assert (cut_by.energy_source, cut_by.threshold_mode, cut_by.segment) == (
        "quantized", "report", True,
    )  # fmt: skip
    assert config.gates.vel_norm_thr == 0.02 and config.gates.pre_gate_active == 0.05
    assert config.look.plot_height == 520 and not config.look.show
    assert config.output.output_dir == Path("output/segmentation_outputs")
    assert idle == ("input.batch.poll_interval_seconds", "pre_gate.diff_method")


def test_every_key_that_people_may_have_is_known() -> None:
    nested: dict[str, Any] = {}
    for key in (*KEYS, *JOINT, *WITHOUT_EFFECT):
        at = nested
        *sections, name = key.split(".")
        for section in sections:
            at = at.setdefault(section, {})
        at[name] = None
    config, idle = from_params(nested)
    assert config.source == "0" and config.input.kind == "camera" and idle == ()
    assert not config.cut.segment and config.cut.threshold == 10.625, "as a file without the keys"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"target_fbs": 10}, "'target_fbs'.*Did you mean 'target_fps'"),
        ({"energy": {"smoothing": {"alfa": 1}}}, "Did you mean 'energy.smoothing.alpha'"),
        ({"segmentation": 3}, "segmentation is 3"),
        ({"segmentation": {"up_count": "two"}}, "up_count is 'two'"),
        ({"pre_gate": {"mad_thr": 7.0}}, "mad_thr is 7.0"),
        ({"input": {"type": "usb"}}, "input.type is 'usb'"),
        ({"input": {"type": "rtsp"}}, "input.url is missing"),
    ],
)
def test_a_wrong_parameter_is_told(content: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        from_params(content, "params.yaml")


def test_older_names_of_the_checkpoint_work() -> None:
    config, _ = from_params({"checkpoint_dir": "runs/a", "checkpoint_name": "best.pt"})
    assert config.run.tokenizer == Path("runs/a/best.pt")


def test_the_command_reads_parameters_and_obeys_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from robovalue_ros.cli.segment_stream import run

    make_videos(tmp_path / "videos", ["a.mp4"])
    other = write_film(tmp_path / "other/b.mp4", film(two_moves()).frames)
    params = tmp_path / "params.yaml"
    content = {
        "visualize": False, "resize_shorter": 0, "input": {"type": "file", "path": "nowhere.mp4"},
        "energy": {"source": "velocity", "jsonl_output": True},
        "segmentation": {"enable": True, "threshold": 0.0012, "output_dir": str(tmp_path / "out")},
    }  # fmt: skip
    params.write_text(yaml.safe_dump(content))
    assert run([str(tmp_path / "videos"), "--params", str(params), "--device", "cpu"]) == 0
    assert "1 cut, 0 skipped, 0 damaged" in capsys.readouterr().out
    assert lines_of(tmp_path / "out/a/stream_energy_velocity_token_diff_l2_mean.jsonl")
    monkeypatch.setenv(OVERRIDE, str(other))
    assert run([f"--params={params}", "--gpu-id", "0"]) == 0
    assert (tmp_path / "out/b/segmented_videos/b_segments.json").is_file()
    assert OVERRIDE in capsys.readouterr().out


def test_names_follow_their_template() -> None:
    assert renamed("7_cup_red", "{id}_of_{name}") == "7_of_7_cup_red"
    assert renamed("cup", "") == "cup" and renamed("cup", "{id}") == "cup"


def test_episodes_of_data_sets_are_cut_camera_by_camera(tmp_path: Path) -> None:
    made = film(two_moves())
    stamps = np.arange(len(made.frames), dtype=np.int64) * 50_000_000
    empty = np.zeros((len(stamps), 0), np.float32)
    cameras = {"high": ArrayFrames(made.frames), "wrist": ArrayFrames(made.frames[::-1].copy())}
    episode = Episode("day 1/try:0", "task", stamps, cameras, empty, empty)
    reader = FakeReader({"day 1/try:0": episode, "lost": None})
    config = config_for("data", tmp_path, input_kind="dataset")
    result = cut(config, opener=opener_of(reader))
    assert [(one.name, one.status) for one in result.outcomes] == [
        ("try_0_high", "cut"), ("try_0_wrist", "cut"), ("lost", "damaged"),
    ]  # fmt: skip
    assert len(list(tmp_path.glob("try_0_*/segmented_videos/*.mp4"))) >= 4


@pytest.mark.parametrize(
    ("source", "what"),
    [("0", "camera_0"), ("rtsp://10.0.0.1/live/cam.sdp", "cam"), ("http://x/", "rtsp_stream")],
)
def test_live_sources_are_recognised(source: str, what: str) -> None:
    (item,) = find_items(config_for(source, Path("out")), open_reader, {})
    assert (item.what, item.name) == ("live", what)


@pytest.mark.parametrize("kind", ["file", "folder", "dataset"])
def test_nothing_to_cut_is_told(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError):
        find_items(config_for(tmp_path / "none", tmp_path, input_kind=kind), open_reader, {})


class FilmCapture:
    """A camera that shows a film once, at its pace or as fast as it is read."""

    def __init__(self, frames: Image, period_s: float = 0.0) -> None:
        self._frames = iter(frames)
        self._period = period_s

    def read(self) -> tuple[bool, Image | None]:
        time.sleep(self._period)
        frame = next(self._frames, None)
        return frame is not None, None if frame is None else frame[..., ::-1]

    def release(self) -> None: ...


def live_frames(capture: FilmCapture, fps: float = 0.0) -> LiveFrames:
    return LiveFrames("0", fps, 0.0, 0.3, lambda _: capture)


def test_a_live_source_is_cut_while_it_runs_and_never_over_an_earlier_one(tmp_path: Path) -> None:
    config = config_for("0", tmp_path, cut_target_fps=100.0)
    (item,) = find_items(config, open_reader, {})
    frames = film(two_moves()).frames
    for name in ("camera_0", "camera_0_2"):
        folder = results_folder(config, item)
        assert folder.path.name == name
        source = live_frames(FilmCapture(frames, 0.012))
        result = cut_live(item, folder, config, parts(config), lambda _: None, live=source)
        folder.finish({})
        assert source.lost == 0 and result.segments >= 1
        assert list((folder.clips).glob("*.mp4")) and list(folder.codes.glob("*.json"))
        energies = lines_of(folder.path / "stream_energy_velocity_token_diff_l2_mean.jsonl")
        windows = [line["window"] for line in energies]
        assert windows == sorted(set(windows))


def test_who_is_too_slow_leaves_windows_out_and_mixes_none_up(tmp_path: Path) -> None:
    config = config_for("0", tmp_path, cut_target_fps=200.0)
    (item,) = find_items(config, open_reader, {})

    class Slow:
        """Takes its time for every window; its points say which frames it saw."""

        def track(self, frames: Image, points_xy: Any, stamps_ns: Any) -> Any:
            time.sleep(0.12)
            from robovalue_ros.contracts.types import PointTracks

            xy = np.repeat(np.asarray(points_xy, np.float32)[:, None], len(frames), axis=1)
            xy[:, 1:, 0] += frames[0, 0, 0, 0] / 200.0
            return PointTracks(xy, np.ones(xy.shape[:2], np.bool_), stamps_ns)

    frames = np.zeros((120, 24, 32, 3), np.uint8)
    frames[:] = np.arange(120, dtype=np.uint8)[:, None, None, None]
    made = Parts(Slow(), None, parts(config).imaging)
    folder = results_folder(config, item)
    off = config_for(
        "0", tmp_path, cut_target_fps=200.0, gates_pre_gate=False, gates_motion_gate=False
    )
    source = live_frames(FilmCapture(frames, 0.005))
    result = cut_live(item, folder, off, made, lambda _: None, live=source)
    assert result.left_out > 0 and result.late > 0
    assert source.lost == 0, "as long as few wait, no frame is lost"
    energies = lines_of(folder.path / "stream_energy_velocity_token_diff_l2_mean.jsonl")
    assert 2 < len(energies) == result.windows < 27
    for line in energies:  # window w begins with frame 4 w, whatever was left out before
        moved = 4 * line["window"] / 200.0 / 16.0 / 15.0
        assert line["energy"] == pytest.approx(moved, rel=0.01)


def test_a_live_source_warms_up_before_its_threshold_is_known(tmp_path: Path) -> None:
    config = config_for(
        "0", tmp_path, cut_target_fps=100.0, cut_threshold=None, cut_threshold_mode="auto",
        cut_warmup_seconds=1.2,
    )  # fmt: skip
    (item,) = find_items(config, open_reader, {})
    frames = film([*two_moves(), *two_moves()]).frames
    folder = results_folder(config, item)
    source = live_frames(FilmCapture(frames, 0.008))
    result = cut_live(item, folder, config, parts(config), lambda _: None, live=source)
    assert 0.0 < result.threshold < 0.03 and result.segments >= 1
    clips = sorted(path.stem for path in folder.clips.glob("*.mp4"))
    assert min(int(name[-6:]) for name in clips) >= 30, "nothing is cut while it warms up"


def test_a_camera_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        LiveFrames(str(tmp_path / "none"), 20.0, 0.0, 1.0)


class Endless(FrameSource):
    """Frames made when they are read; counts how many are alive."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.most = 0

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, int]:
        return 24, 32

    def read(self, index: int) -> Image:
        image = np.random.default_rng(index // 40).integers(0, 255, (24, 32, 3), np.uint8)
        image = np.roll(image, index % 40, axis=1)
        self.alive[index] = image
        self.most = max(self.most, len(self.alive))
        return image


def test_memory_holds_a_window_however_long_the_video(tmp_path: Path) -> None:
    config = config_for("long.mp4", tmp_path, cut_max_duration_seconds=0.0, cut_num_tracks=64)
    item = Item("video", "long.mp4", "long.mp4", "long", "long.mp4")
    source = Endless(600)
    stamps = (np.arange(600, dtype=np.int64) * 50_000_000).tolist()
    gc.disable()
    try:
        cut_recorded(
            Footage(item, source, stamps, source.close), results_folder(config, item), config,
            parts(config), lambda _: None,
        )  # fmt: skip
    finally:
        gc.enable()
    assert source.most <= 16 + 4
    assert threading.active_count() < 20
