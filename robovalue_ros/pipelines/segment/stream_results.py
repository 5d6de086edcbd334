"""The folder of one video's results: who owns it, whether it is finished, what lies in it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.media.listing import VIDEO_SUFFIXES
from robovalue_ros.data.segment_files import CLIPS_FOLDER
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig
from robovalue_ros.pipelines.segment.stream_sources import Item

CODES_FOLDER = "code_indices"
PREQUANT_FOLDER = "stream_prequant"
MARKER = "segment_run.json"
CLIP_PATTERN = "segment_[0-9]*_startwin_[0-9]*"
TEMPORARY = ".tmp-*"
State = Literal["empty", "unfinished", "finished", "other settings", "foreign"]


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """Where the results of a video go.

    A marker in it says whose they are and whether they are finished: a run that was killed leaves
    it unfinished, and the next one begins that video anew.
    """

    path: Path
    item: Item
    settings: str

    @property
    def clips(self) -> Path:
        return self.path / CLIPS_FOLDER

    @property
    def codes(self) -> Path:
        return self.path / CODES_FOLDER

    def state(self) -> State:
        """Tell what is there. foreign: results without a marker, as older tools leave them."""
        marker = self._marker()
        if marker is None:
            return "foreign" if self._holds_results() else "empty"
        if marker.get("state") != "finished" or marker.get("source") != self._source():
            return "unfinished"
        return "finished" if marker.get("settings") == self.settings else "other settings"

    @contextmanager
    def held(self, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Keep other runs out until this one has left; waits: called when another is inside.

        The folder itself is locked: nothing is left behind, whichever way a run ends, and a worker
        that outlives its run for a moment cannot write among the next one's files.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def begin(self) -> None:
        """Make the folder this video's, with nothing of an earlier run in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        # First the marker: whoever is killed from here on leaves something unfinished.
        self._mark("unfinished", {})
        for folder, patterns in (
            (self.clips, (f"{CLIP_PATTERN}.*", TEMPORARY)),
            (self.codes, (f"{CLIP_PATTERN}.codes.json", TEMPORARY)),
            (self.path / PREQUANT_FOLDER, ("prequant_win_*.npy", TEMPORARY)),
            (self.path, (TEMPORARY,)),
        ):
            for pattern in patterns:
                for old in folder.glob(pattern):
                    old.unlink()

    def finish(self, told: Mapping[str, Any]) -> None:
        """Say that all results of the video are there."""
        self._mark("finished", told)

    def told(self) -> dict[str, Any]:
        """Return what the run that finished told."""
        told = (self._marker() or {}).get("told")
        return told if isinstance(told, dict) else {}

    def _mark(self, state: str, told: Mapping[str, Any]) -> None:
        content = {
            "state": state, "source": self._source(), "settings": self.settings, "told": dict(told)
        }  # fmt: skip
        write_json(self.path / MARKER, content)

    def _source(self) -> list[Any]:
        return [self.item.what, self.item.key, *self.item.version]

    def _marker(self) -> dict[str, Any] | None:
        try:
            content = json.loads((self.path / MARKER).read_text(encoding="utf-8"))
        except OSError:
            return None
        except ValueError:
            return {}  # damaged: nothing is known to be finished
        return content if isinstance(content, dict) else {}

    def _holds_results(self) -> bool:
        videos = (path for path in self.clips.glob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
        codes = (path for path in self.codes.glob("*") if path.suffix in (".json", ".jsonl"))
        return any(True for _ in videos) or any(True for _ in codes)


def settings_digest(config: SegmentStreamConfig) -> str:
    """Return a text that changes with everything that results depend on."""
    cut, gates, follow = config.cut, config.gates, config.follow
    output = config.output
    decides = {
        "cut": to_mapping(cut), "gates": to_mapping(gates), "follow": to_mapping(follow),
        "output": [output.clips, output.codec, output.ext, output.export_segments_json],
        "tokenizer": str(config.run.tokenizer), "max_windows": config.run.max_windows,
        "read": to_mapping(config.read),
    }  # fmt: skip
    text = json.dumps(decides, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def results_folder(config: SegmentStreamConfig, item: Item) -> ResultsFolder:
    """Return where a video's results go; a live source never touches those of an earlier one."""
    path = config.output.output_dir / item.name
    if item.what == "live":
        number = 2
        while (path / MARKER).exists() or (path / CLIPS_FOLDER).exists():
            path = config.output.output_dir / f"{item.name}_{number}"
            number += 1
    return ResultsFolder(path, item, settings_digest(config))
