"""Files of what the node cuts: for each try the results that `robovalue segment stream` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from robovalue_ros.contracts.errors import RobovalueError
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig
from robovalue_ros.pipelines.segment.stream_record import Recorder
from robovalue_ros.pipelines.segment.stream_results import ResultsFolder, results_folder
from robovalue_ros.pipelines.segment.stream_sources import Item
from robovalue_ros.pipelines.segment.stream_times import TimeBook, WindowTimes
from robovalue_ros.segment.events import SegmentClosed, Update
from robovalue_ros.segment.options import StreamOptions

FAULTS = (RobovalueError, OSError)


class ClipKeeper:
    """Writes clips, codes, energies and lists of actions, in a folder for each try.

    A try without a window leaves nothing behind. When something cannot be written, `problem` says
    so and the rest of that try is not written. Belongs to one thread.
    """

    def __init__(
        self,
        command: SegmentStreamConfig,
        has_codes: bool,
        codebook: Mapping[str, Any] | None = None,
    ) -> None:
        name = re.sub(r"[^\w.\-]+", "_", command.source or "").strip("._") or "camera"
        self._command, self._has_codes, self._codebook = command, has_codes, codebook
        self._item = Item("live", str(command.source), str(command.source), name, name)
        self._folder: ResultsFolder | None = None
        self._recorder: Recorder | None = None
        self._book = TimeBook()
        self._broken = False
        self.problem = ""

    def take(self, update: Update, times: WindowTimes, options: StreamOptions) -> None:
        """Write what a window brought."""
        if self._broken:
            return
        try:
            if self._recorder is None:
                self._recorder = self._begun(options)
            if self._recorder.options is not options:
                self._recorder.tune(options)
            self._recorder.take(update, times)
            self._book.add(times)
        except FAULTS as problem:
            self._give_up(problem)

    def end(self, last: SegmentClosed | None, options: StreamOptions) -> None:
        """Finish the files of a try. last: the action that its end closed."""
        recorder, folder = self._recorder, self._folder
        self._recorder, self._folder, self._broken = None, None, False
        if recorder is None or folder is None:
            return
        try:
            if last is not None:
                recorder.close(last)
            recorder.finish(None, self._book.summary(options.stride))
            folder.finish({"windows": self._book.windows, "segments": len(recorder.kept)})
        except FAULTS as problem:
            recorder.abandon()
            self.problem = str(problem)

    def _begun(self, options: StreamOptions) -> Recorder:
        self._folder = results_folder(self._command, self._item)
        self._folder.begin()
        self._book = TimeBook()
        return Recorder(
            self._folder, self._command, options, has_codes=self._has_codes,
            fps=options.target_fps, mode=self._command.cut.threshold_mode, live=True,
            codebook=self._codebook,
        )  # fmt: skip

    def _give_up(self, problem: Exception) -> None:
        if self._recorder is not None:
            self._recorder.abandon()
        self._recorder, self._folder, self._broken = None, None, True
        self.problem = str(problem)
