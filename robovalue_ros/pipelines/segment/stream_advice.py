"""Why nothing was found in a video, and which flag to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig
from robovalue_ros.pipelines.segment.stream_cut import CutResult
from robovalue_ros.segment.warm_up import UNREACHED

Reason = Literal["watched", "brief video", "still", "low", "left out", "brief motion"]


def reason_for(result: CutResult) -> Reason | None:
    """Return why a video has no actions; None where it has some."""
    if result.segments:
        return None
    if not result.windows:
        return "brief video"
    if result.threshold >= UNREACHED:
        return "watched"
    if result.dropped:
        return "left out"
    if result.highest >= result.threshold:
        return "brief motion"
    return "low" if result.highest > 0.0 else "still"


def advice(results: Sequence[CutResult], config: SegmentStreamConfig) -> list[str]:
    """Return a sentence or two for each reason why videos have no actions, the commonest first."""
    if not config.cut.segment:
        return []
    by_reason: dict[Reason, list[CutResult]] = {}
    for result in results:
        reason = reason_for(result)
        if reason is not None:
            by_reason.setdefault(reason, []).append(result)
    lines = []
    for reason, group in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        where = f"no actions in {len(group)} of {len(results)}"
        lines.append(f"{where}: {_words(reason, group, config)}")
    return lines


def _words(reason: Reason, group: Sequence[CutResult], config: SegmentStreamConfig) -> str:
    cut = config.cut
    highest, threshold = max(one.highest for one in group), min(one.threshold for one in group)
    if reason == "brief video":
        return f"shorter than a window of {cut.window} frames at {cut.target_fps:g} per second."
    if reason == "watched":
        return f"they ended while they were watched; --warmup-seconds is {cut.warmup_seconds:g}."
    if reason == "still":
        return "nothing moved, as far as the gates let look. Try --no-pre-gate --no-motion-gate."
    if reason == "brief motion":
        return (
            f"energies reached {highest:.3g}, the threshold is {threshold:.3g}, but not in "
            f"{cut.up_count} windows in a row. Try --up-count 1 or a lower --threshold."
        )
    if reason == "left out":
        why = {name for one in group for name in one.dropped}
        few = "too few codes" in why and config.gates.motion_gate
        flag = "--no-motion-gate, so that still windows have codes too" if few else "a lower --threshold"  # fmt: skip
        return f"what was found was left out as {' or '.join(sorted(why))}. Try {flag}."
    flag = "--threshold-mode auto" if cut.threshold_mode != "auto" else "a lower --threshold"
    spared = sum(one.gated for one in group) / sum(one.windows for one in group)
    if cut.energy_source != "velocity" and config.gates.motion_gate and spared > 0.5:
        # The gate is about velocities: tokens may tell more than it lets through.
        flag = f"--no-motion-gate, as {spared:.0%} of the windows were taken for still"
    return f"energies reached at most {highest:.3g}, the threshold is {threshold:.3g}. Try {flag}."
