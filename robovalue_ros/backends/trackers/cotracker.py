"""CoTracker from a copy on this disk: a network, only for non-commercial use."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robovalue_ros.backends.checkpoints import check_names, read_torch_file, tensors_only
from robovalue_ros.backends.encoders.devices import resolve_devices
from robovalue_ros.backends.trackers.choice import TrackerChoice
from robovalue_ros.contracts.errors import ConfigError, DataError, RobovalueError
from robovalue_ros.contracts.frames import Image
from robovalue_ros.contracts.types import PointTracks
from robovalue_ros.contracts.validate import describe

NOTICE = (
    "CoTracker's code and weights are licensed CC-BY-NC 4.0: not for commercial use. They belong "
    "to their authors and are no part of this project. The trackers lucas_kanade and dis_flow have no "
    "such limit."
)
_HOLDERS = ("model", "state_dict")
_told = threading.Event()


class CoTracker:
    """Follows all points of a window at once; a `PointTracker`. Points influence each other.

    repo: folder with the repository's hubconf.py; nothing is downloaded. checkpoint: its weights.
    Tells the licence once per process, on stderr.
    """

    def __init__(
        self, repo: Path, checkpoint: Path, entry: str = "cotracker3_offline", device: str = "auto"
    ) -> None:
        _tell_licence()
        if not (repo / "hubconf.py").is_file():
            raise DataError(
                repo, "holds no hubconf.py", "a copy of CoTracker's repository",
                "Clone it and pass its folder as --cotracker-repo.",
            )  # fmt: skip
        weights = _weights(checkpoint)
        try:
            hub: Any = torch.hub
            predictor = hub.load(str(repo), entry, source="local", pretrained=False)
        except (RuntimeError, ImportError, AttributeError, TypeError, ValueError) as problem:
            raise DataError(
                repo, f"{entry} cannot be built: {problem}", "a network that hubconf.py offers"
            ) from problem
        check_names(checkpoint, weights, predictor.model.state_dict(), "Is it of this network?")
        predictor.model.load_state_dict(weights)
        self._device = resolve_devices((device,))[0]
        self._predictor = predictor.to(self._device).eval()

    def track(
        self, frames: Image, points_xy: NDArray[np.float32], stamps_ns: NDArray[np.int64]
    ) -> PointTracks:
        """Follow points (N, 2) of the first frame through frames (T, H, W, 3)."""
        points = np.asarray(points_xy, np.float32)
        film = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device)
        queries = torch.zeros((1, len(points), 3), device=self._device)
        queries[0, :, 1:] = torch.from_numpy(points)
        with torch.inference_mode():
            tracks, seen = self._predictor(film.permute(0, 3, 1, 2)[None].float(), queries=queries)
        xy = tracks[0].float().cpu().numpy().swapaxes(0, 1)
        visible = (seen[0] > 0.5).cpu().numpy().T
        if xy.shape != (len(points), len(frames), 2):
            raise RobovalueError(f"CoTracker gave tracks of {describe(xy)}")
        # It estimates the first frame too, where the answer is known.
        xy[:, 0], visible[:, 0] = points, True
        return PointTracks(_held(xy, visible), visible, stamps_ns)


def build_cotracker(choice: TrackerChoice, device: str = "auto") -> CoTracker:
    """Build what a choice names; raises ConfigError when it names no files."""
    if choice.cotracker_repo is None or choice.cotracker_checkpoint is None:
        raise ConfigError(
            "the tracker cotracker comes with neither code nor weights",
            "--cotracker-repo FOLDER and --cotracker-checkpoint FILE",
            "Its licence (CC-BY-NC) forbids commercial use; lucas_kanade needs nothing.",
        )
    return CoTracker(
        choice.cotracker_repo, choice.cotracker_checkpoint, choice.cotracker_entry, device
    )


def _weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    content = read_torch_file(checkpoint)
    holder = next((key for key in _HOLDERS if isinstance(content.get(key), dict)), None)
    return tensors_only(checkpoint, content[holder] if holder else content, " where weights belong")


def _held(xy: NDArray[np.float32], visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Let points (N, T, 2) that are not seen stay where they were seen last."""
    last = np.maximum.accumulate(np.where(visible, np.arange(xy.shape[1]), 0), axis=1)
    held: NDArray[np.float32] = np.take_along_axis(xy, last[..., None], axis=1)
    return held


def _tell_licence() -> None:
    if not _told.is_set():
        _told.set()
        print(f"note: {NOTICE}", file=sys.stderr)
