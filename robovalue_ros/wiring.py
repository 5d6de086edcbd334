"""From a configured name to the concrete thing behind it; the only place that knows both.

Everything is imported when it is asked for, so that a tool pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.contracts.ports import (
    EpisodeReader,
    EpisodeWriter,
    FrameEncoder,
    PointTracker,
)
from robovalue_ros.contracts.tools import ReadOptions, WriteOptions

if TYPE_CHECKING:
    from robovalue_ros.backends.encoders.choice import EncoderChoice
    from robovalue_ros.backends.trackers.choice import TrackerChoice, TrackerName
    from robovalue_ros.data.value_store.value_model import StoredValueModel
    from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig
    from robovalue_ros.pipelines.segment.stream_cut import Parts
    from robovalue_ros.segment.tracking import StepTracker, WindowEncoder
    from robovalue_ros.value.pixels.network import PixelNetwork
    from robovalue_ros.value.stream.live import ValueStream

READERS = {
    "hdf5": "robovalue_ros.data.hdf5.aloha:AlohaReader",
    "libero": "robovalue_ros.data.hdf5.libero:LiberoReader",
    "robotwin": "robovalue_ros.data.hdf5.robotwin:RoboTwinReader",
    "lerobot": "robovalue_ros.data.lerobot.reader:LeRobotReader",
    "rlds": "robovalue_ros.data.rlds.reader:RldsReader",
    "rosbag": "robovalue_ros.data.rosbag.reader:RosbagReader",
    "video": "robovalue_ros.data.media:VideoReader",
    "images": "robovalue_ros.data.media:ImageFolderReader",
}
# Readers that obey --rotation or --color themselves, because their layouts ask for a rule.
TURNING = ("hdf5", "libero", "robotwin")
RECOLOURING = (*TURNING, "rosbag")
WRITERS = {
    "hdf5": "robovalue_ros.data.hdf5.writer:Hdf5Writer",
    "lerobot": "robovalue_ros.data.lerobot.writer:LeRobotWriter",
    "rosbag": "robovalue_ros.data.rosbag.writer:RosbagWriter",
}
TRACKERS = {
    "lucas_kanade": "robovalue_ros.backends.trackers.lucas_kanade:LucasKanade",
    "dis_flow": "robovalue_ros.backends.trackers.dis_flow:DisFlow",
    "cotracker": "robovalue_ros.backends.trackers.cotracker:build_cotracker",
}


def open_reader(path: Path, options: ReadOptions | None = None) -> EpisodeReader:
    """Open a file or folder of episodes in whatever format it is; raises DataError."""
    options = options or ReadOptions()
    name = options.source_format
    if name == "auto":
        from robovalue_ros.data.detect import detect_format

        name = detect_format(path)
    reader: EpisodeReader = _load(READERS[name])(path, options)
    from robovalue_ros.data.select import SelectedReader

    return SelectedReader(
        reader, options, turn=name not in TURNING, recolour=name not in RECOLOURING
    )


def make_writer(options: WriteOptions) -> EpisodeWriter:
    """Build the writer of a format."""
    writer: EpisodeWriter = _load(WRITERS[options.format])(options)
    return writer


def make_encoder(name: str, config: Any) -> FrameEncoder:
    """Build an encoder with weights; config: see `registry.ENCODER_CONFIGS`.

    Raises ConfigError, DataError for weights that cannot be used, MissingExtra.
    """
    from robovalue_ros.backends.encoders.registry import ENCODERS

    if name not in ENCODERS:
        raise ConfigError(f"unknown encoder {name!r}", hint=nearest(name, ENCODERS))
    encoder: FrameEncoder = _load(ENCODERS[name])(config)
    return encoder


def make_encoders(
    choice: EncoderChoice, cameras: Sequence[str], network: PixelNetwork | None = None
) -> dict[str, FrameEncoder]:
    """Return the encoder of each camera; those with weights serve all cameras at once.

    network: of a fitted value model; `pixels` needs it, since each camera looks with weights of
    its own. Raises what `make_encoder` raises, ConfigError for a camera the network lacks.
    """
    if choice.encoder != "pixels":
        from robovalue_ros.backends.encoders.choice import encoder_config

        return dict.fromkeys(cameras, make_encoder(choice.encoder, encoder_config(choice)))
    if network is None:
        raise ConfigError(
            "the encoder pixels has no weights of its own", "a model of `robovalue value fit`"
        )
    from robovalue_ros.backends.encoders.pixels import PixelsEncoder

    for camera in cameras:
        if camera not in network.cameras:
            raise ConfigError(
                f"the value model does not know the camera {camera!r}",
                hint=nearest(camera, network.cameras),
            )
    return {name: PixelsEncoder(network, network.cameras.index(name)) for name in cameras}


def make_tracker(
    choice: TrackerChoice | str = "lucas_kanade", device: str = "auto"
) -> PointTracker | StepTracker:
    """Build what follows points; device: of a network. Raises ConfigError, DataError."""
    from robovalue_ros.backends.trackers.choice import TrackerChoice

    if isinstance(choice, str):
        if choice not in TRACKERS:
            raise ConfigError(f"unknown tracker {choice!r}", hint=nearest(choice, TRACKERS))
        choice = TrackerChoice(tracker=cast("TrackerName", choice))
    build = _load(TRACKERS[choice.tracker])
    tracker: PointTracker | StepTracker = (
        build(choice, device) if choice.tracker == "cotracker" else build(choice.still_px)
    )
    return tracker


def make_window_encoder(
    path: Path, device: str = "auto", *, half: bool = False
) -> tuple[WindowEncoder, int, dict[str, Any]]:
    """Read a trained motion tokenizer; return it, how many parameters it has, and its code book.

    half: half precision where there is a GPU. Raises DataError, ConfigError, MissingExtra.
    """
    from robovalue_ros.backends.encoders.devices import resolve_devices
    from robovalue_ros.backends.motion_tokenizer import load_tokenizer
    from robovalue_ros.backends.one_thread_encoder import OneThreadEncoder
    from robovalue_ros.segment.tokenizer.encoding import TokenizerEncoder

    place = resolve_devices((device,))[0]
    precision = "fp16" if half and place.type == "cuda" else "fp32"
    network = load_tokenizer(path).network
    count = sum(weight.numel() for weight in network.parameters())
    encoder = TokenizerEncoder(network, str(place), precision)
    size, levels = network.config.codebook_size, list(network.config.levels)
    codebook = {"codebook_size": size, "codebook_levels": levels}
    return OneThreadEncoder(encoder) if place.type == "cpu" else encoder, count, codebook


def make_segment_parts(config: SegmentStreamConfig) -> Parts:
    """Build what reads the windows of `robovalue segment stream`; raises what the parts raise."""
    from robovalue_ros.backends.imaging import fast_imaging
    from robovalue_ros.pipelines.segment.stream_cut import Parts

    run = config.run
    networks = run.tokenizer is not None or config.follow.tracker == "cotracker"
    device = _numbered(run.device, run.gpu_id) if networks else "cpu"
    tracker = make_tracker(config.follow, device)
    if run.tokenizer is None:
        return Parts(tracker, None, fast_imaging())
    encoder, parameters, codebook = make_window_encoder(run.tokenizer, device, half=run.amp)
    return Parts(tracker, encoder, fast_imaging(), parameters, codebook)


def _numbered(device: str, gpu_id: int | None) -> str:
    """Return the device with its number; auto stays on the CPU where there is no GPU."""
    from torch import cuda

    if gpu_id is None or not (device == "cuda" or (device == "auto" and cuda.device_count() > 0)):
        return device
    return f"cuda:{gpu_id}"


def stream_encoders(
    stored: StoredValueModel, weights: Path | None = None, devices: tuple[str, ...] = ("auto",)
) -> dict[str, FrameEncoder] | None:
    """Return the encoders that a stored value model was fitted with, None where it needs none.

    weights: where they lie on this machine, if elsewhere. Raises what `make_encoder` raises.
    """
    choice = stored.about.get("encoder")
    if not isinstance(choice, dict):
        return None
    from robovalue_ros.backends.encoders.choice import restored_choice

    return make_encoders(restored_choice(choice, weights, devices), stored.model.cameras)


def open_value_stream(
    path: Path, weights: Path | None = None, devices: tuple[str, ...] = ("auto",)
) -> ValueStream:
    """Return a stream over the value model in a file, of either kind; what every door uses.

    Raises DataError for a damaged file, and what `stream_encoders` raises.
    """
    from robovalue_ros.data.value_store.value_model import read_value_model
    from robovalue_ros.value.stream.live import ValueStream

    stored = read_value_model(path)
    return ValueStream(stored.model, stream_encoders(stored, weights, devices))


def _load(target: str) -> Any:
    module, name = target.split(":")
    return getattr(import_module(module), name)
