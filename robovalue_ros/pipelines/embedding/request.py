"""What is asked for: clips of one camera of one recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.frames import FrameSource
from robovalue_ros.contracts.validate import describe, require


@dataclass(frozen=True, slots=True, eq=False)
class ClipRequest:
    """Clips of one camera of one recording.

    recording: a name of its own within the run. camera: which encoder, such as `high` or `wrist`.
    source: raw frames of that camera, untrimmed. content: a text that names these frames for
    certain, camera included, as `data.identity` gives; None: it is found out, where necessary by
    hashing the decoded frames. policy: the series, such as `prefix` or `win50s6`; series are kept
    apart in the cache. indices_NF: raw frame indices of N clips of the encoder's `clip_frames`.
    """

    recording: str
    camera: str
    source: FrameSource
    content: str | None
    policy: str
    indices_NF: NDArray[np.int64]

    def __post_init__(self) -> None:
        indices = np.asarray(self.indices_NF)
        require(
            indices.ndim == 2 and indices.dtype.kind in "iu" and indices.shape[1] > 0,
            "indices_NF", "whole numbers (clips, frames)", describe(indices),
        )  # fmt: skip
        inside = indices.size == 0 or (indices.min() >= 0 and indices.max() < len(self.source))
        require(bool(inside), "indices_NF", f"frames in 0..{len(self.source) - 1}", "others")
        object.__setattr__(self, "indices_NF", np.array(indices, np.int64, order="C"))

    def __len__(self) -> int:
        return len(self.indices_NF)
