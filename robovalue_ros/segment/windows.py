"""Where windows lie in a stream of frames, and how large its pictures are."""

from __future__ import annotations

from dataclasses import dataclass

from robovalue_ros.contracts.validate import require

WINDOW = 16
REFERENCE_WINDOW = 15  # what stored outputs of older tools were cut with
STRIDE = 4


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of `window` frames, one for every `stride` frames.

    A window is due whenever the number of frames seen is a multiple of the stride and enough of
    them are there. Windows are numbered from 0 in that order.
    """

    window: int = WINDOW
    stride: int = STRIDE

    def __post_init__(self) -> None:
        require(self.window >= 2, "window", "at least two frames", self.window)
        require(self.stride >= 1, "stride", "at least one frame", self.stride)

    @property
    def first_stop(self) -> int:
        """How many frames must have been seen before the first window is due."""
        return -(-self.window // self.stride) * self.stride

    def span(self, window_id: int) -> tuple[int, int]:
        """Return the frames [start, stop) of a window."""
        stop = self.first_stop + window_id * self.stride
        return stop - self.window, stop

    def due(self, seen: int) -> int | None:
        """Return the window that is complete once `seen` frames were seen, or None."""
        if seen < self.first_stop or seen % self.stride:
            return None
        return (seen - self.first_stop) // self.stride

    def count(self, seen: int) -> int:
        """Return how many windows `seen` frames give."""
        return max(0, (seen - self.first_stop) // self.stride + 1)

    def budget_s(self, fps: float) -> float:
        """Return the seconds between one window and the next: what one may cost."""
        require(fps > 0.0, "fps", "a positive rate", fps)
        return self.stride / fps


def resized_shape(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Return (height, width) with the shorter side `shorter`, in the same proportions.

    Sides are rounded half to even. shorter <= 0 leaves the size as it is.
    """
    least = min(height, width)
    require(least > 0, "height, width", "positive numbers", f"{height}, {width}")
    if shorter <= 0 or least == shorter:
        return height, width
    return round(height * shorter / least), round(width * shorter / least)


def shrunk_shape(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Return `resized_shape` for larger pictures and the size as it is for smaller ones.

    An enlarged picture shows nothing more, and trackers lose half of the motion in its soft edges.
    """
    if min(height, width) <= shorter:
        return height, width
    return resized_shape(height, width, shorter)
