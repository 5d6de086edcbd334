"""Scoring a bag: against bare reading and decoding in the same run, and against real time."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from benchmarks.book import Ratio, Sheet
from robovalue_ros.contracts.errors import RobovalueError
from robovalue_ros.contracts.frames import ArrayFrames, Image
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.rosbag.bags import find_bags
from robovalue_ros.data.rosbag.stream import BagStream
from robovalue_ros.data.rosbag.writer import RosbagWriter
from robovalue_ros.pipelines.bag.config import BagScoreConfig
from robovalue_ros.pipelines.bag.score import score_bags
from robovalue_ros.value.stream.fitting import fit_value_model
from robovalue_ros.value.stream.live import ValueStream
from robovalue_ros.value.stream.model import ValueModel
from robovalue_ros.value.stream.options import FitOptions

FRAMES, RATE_HZ, SIZE, PAIRS = 300, 30, (480, 640), 7
CAMERAS = ("cam_high", "cam_wrist")
COMMAND = "python -m benchmarks --only bags"


def sheets() -> Iterator[Sheet]:
    """Measure scoring and its parts on one bag."""
    with tempfile.TemporaryDirectory(prefix="bench-bags-") as folder:
        root = Path(folder)
        bag = _record(root, _pictures(FRAMES))
        model = _model()
        rows = []
        ratios = {name: Ratio() for name in _parts(bag, root, model)}
        seconds: dict[str, list[float]] = {name: [] for name in ratios}
        for _ in range(PAIRS):
            floor = _time(lambda: _bare(bag))
            for name, work in _parts(bag, root, model).items():
                seconds[name].append(_time(work))
                ratios[name].values.append(floor / seconds[name][-1])
        for name, ratio in ratios.items():
            middle = float(np.median(seconds[name]))
            real = FRAMES / RATE_HZ / middle
            rows.append((name, ratio.text(), f"{real:.1f}", f"{middle / FRAMES * 1e3:.2f}"))
        yield Sheet(
            "Scoring a bag, speed relative to rosbags and OpenCV alone",
            COMMAND,
            ("work", "of bare reading and decoding", "times real time", "ms per moment"),
            rows,
            f"{FRAMES} moments of {len(CAMERAS)} cameras, JPEG {SIZE[1]}x{SIZE[0]} at {RATE_HZ} Hz, "
            f"model `pixels`; {PAIRS} pairs in one run. Bare: rosbags reads and deserialises each "
            "picture, OpenCV decodes it, one thread. Scoring decodes in threads and writes the "
            "bag with its values; larger is better.",
        )


def _parts(bag: Path, root: Path, model: ValueModel) -> dict[str, Callable[[], object]]:
    return {
        "rosbags and OpenCV, one thread": lambda: _bare(bag),
        "our stream of messages, nothing decoded": lambda: _read(bag),
        "bag score": lambda: _score(bag, root / "out", model),
    }


def _bare(bag: Path) -> int:
    total = 0
    store = get_typestore(Stores.ROS2_HUMBLE)
    with AnyReader([bag], default_typestore=store) as reader:
        wanted = [c for c in reader.connections if "CompressedImage" in c.msgtype]
        for connection, _, raw in reader.messages(wanted):
            message = reader.deserialize(raw, connection.msgtype)
            image = cv2.imdecode(message.data, cv2.IMREAD_COLOR)  # type: ignore[attr-defined]
            total += int(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)[0, 0, 0])
    return total


def _read(bag: Path) -> int:
    (found,) = find_bags(bag)
    return sum(len(message.data) for message in BagStream(found).messages())


def _score(bag: Path, out: Path, model: ValueModel) -> None:
    shutil.rmtree(out, ignore_errors=True)
    config = BagScoreConfig(bags=(bag,), model=Path("in memory"), out=out)
    for outcome in score_bags(config, ValueStream(model)):
        if outcome.score is None or outcome.score.frames != FRAMES:
            raise RobovalueError(f"the benchmark's bag was not scored: {outcome.problem}")


def _time(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _pictures(length: int) -> dict[str, Image]:
    """Draw a moving thing before a textured ground; (T, H, W, 3) by camera."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    ground = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), np.uint8), (0, 0), 3)
    ground = cv2.normalize(ground, None, 40, 220, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    pictures = {}
    for number, camera in enumerate(CAMERAS):
        film = np.repeat(np.roll(ground, 50 * number, axis=1)[None], length, axis=0)
        for step in range(length):
            at = 20 + step * (width - 140) // length
            film[step, 180:280, at : at + 80] = (200, 40, 40)
        pictures[camera] = film
    return pictures


def _record(root: Path, pictures: dict[str, Image]) -> Path:
    stamps = 1_700_000_000_000_000_000 + np.arange(FRAMES, dtype=np.int64) * (10**9 // RATE_HZ)
    episode = Episode(
        "bench", "cross", stamps, {n: ArrayFrames(p) for n, p in pictures.items()},
        np.zeros((FRAMES, 7)), np.zeros((FRAMES, 7)),
    )  # fmt: skip
    options = WriteOptions(format="rosbag", frames="lossy", jpeg_quality=80)
    RosbagWriter(options).write(root, 0, episode, lambda _: None)
    return root / "episode_000000"


def _model() -> ValueModel:
    stamps = np.arange(24, dtype=np.int64) * 50_000_000
    given = [(_pictures(24), stamps) for _ in range(2)]
    return fit_value_model(given, FitOptions(steps=20, batch=8), np.random.default_rng(0))
