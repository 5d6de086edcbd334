"""What is told about an action when it begins and when it ends, by every door in the same words.

Keys are those of the side cars of clips where these have them: frames are those that were looked
at, both ends inside.
"""

from __future__ import annotations

from typing import Any

from robovalue_ros.segment.events import SegmentClosed, SegmentOpened
from robovalue_ros.segment.naming import segment_label


def told_opened(opened: SegmentOpened) -> dict[str, Any]:
    """Return what is known when an action begins."""
    return {
        "event": "open",
        "number": opened.number,
        "label": segment_label(opened.number),
        "start_stamp_ns": opened.first.stamp_ns,
        "start_frame": opened.first.index,
        "start_win": opened.window,
    }


def told_closed(closed: SegmentClosed) -> dict[str, Any]:
    """Return what is known when an action has ended.

    end_win: its last window, inside. why: kept, or why it is not. at_end: the stream ended, not the
    action.
    """
    return {
        "event": "close",
        "number": closed.number,
        "label": segment_label(closed.number),
        "start_stamp_ns": closed.first.stamp_ns,
        "end_stamp_ns": closed.last.stamp_ns,
        "start_frame": closed.first.index,
        "end_frame": closed.last.index,
        "start_win": closed.windows[0],
        "end_win": closed.windows[1] - 1,
        "kept": closed.kept,
        "why": closed.why,
        "at_end": closed.at_end,
        "selected_win_idxs": [one.window for one in closed.codes],
        "codes_windows": [one.tokens.codes.tolist() for one in closed.codes],
    }
