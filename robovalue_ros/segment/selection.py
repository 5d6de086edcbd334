"""Which frames an action has, which windows' codes belong to it, and whether it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.segment.windows import Schedule

Align = Literal["start", "center", "end"]
Why = Literal["kept", "too short", "too few codes"]
LEAST_WINDOWS = 3  # shorter actions were never kept, whatever min_len_windows says


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """What belongs to an action."""

    align: Align = option("center", "which frame of its first window an action begins at")
    min_len_windows: int = option(2, "actions of fewer windows are left out; at least 3", low=0)
    export_codes: bool = option(True, "give actions the motion codes of their windows")
    codes_min_overlap_ratio: float = option(
        0.25, "share of a window that must lie in the action for its codes to count",
        low=0.0, high=1.0,
    )  # fmt: skip
    min_codes_windows: int = option(2, "actions with fewer windows with codes are left out", low=0)
    allow_overlap: bool = option(
        True, "keep the codes of windows that overlap; false: only of windows that do not"
    )


def first_frame(schedule: Schedule, window: int, align: Align) -> int:
    """Return the first frame of an action that begins with `window`."""
    start, stop = schedule.span(window)
    if align == "start":
        return start
    if align == "center":
        return start + schedule.window // 2
    return max(start, stop - schedule.stride)


def overlap_ratio(span: tuple[int, int], other: tuple[int, int]) -> float:
    """Return the share of frames [start, stop) that lie in `other`."""
    common = min(span[1], other[1]) - max(span[0], other[0])
    return max(0, common) / (span[1] - span[0])


class CodeChooser:
    """Decides window by window whose codes belong to the action that begins at `start`.

    No look ahead is needed: an action ends with the last frame of its last window, so only its
    beginning can cut a window. qualified: windows that overlap enough. chosen: those of them that are kept.
    """

    def __init__(self, schedule: Schedule, options: SelectionOptions, start: int) -> None:
        self._schedule = schedule
        self._options = options
        self._start = start
        self._free_from = start - schedule.window
        self.qualified = 0
        self.chosen = 0

    def offer(self, window: int) -> bool:
        """Say whether the codes of `window`, which has some, belong to the action."""
        start, stop = self._schedule.span(window)
        overlap = overlap_ratio((start, stop), (self._start, stop))
        if overlap <= 0.0 or overlap < self._options.codes_min_overlap_ratio:
            return False
        self.qualified += 1
        if not self._options.allow_overlap and start < self._free_from:
            return False
        self._free_from = stop
        self.chosen += 1
        return True


def verdict(
    length: int, codes: CodeChooser | None, options: SelectionOptions, *, compat: bool = False
) -> Why:
    """Say whether an action of `length` windows is kept, and why not.

    codes: None where windows have no codes; then only the length counts. compat counts codes as
    older tools did: only the windows that are left once overlapping ones are out, and one
    more than min_codes_windows says.
    """
    if length < max(options.min_len_windows, LEAST_WINDOWS):
        return "too short"
    if codes is None or not options.export_codes:
        return "kept"
    enough = (
        codes.chosen > options.min_codes_windows
        if compat
        else codes.qualified >= options.min_codes_windows
    )
    return "kept" if enough else "too few codes"
