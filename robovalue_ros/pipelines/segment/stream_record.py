"""What is written while a video is cut: clips with their codes, energies, times, tokens."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from robovalue_ros.data.atomic import write_bytes, write_json
from robovalue_ros.data.line_file import LineFile
from robovalue_ros.data.video.clip import ClipWriter
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig
from robovalue_ros.pipelines.segment.stream_results import PREQUANT_FOLDER, ResultsFolder
from robovalue_ros.pipelines.segment.stream_times import WindowTimes
from robovalue_ros.segment.documents import codes_document, energy_line, segments_document
from robovalue_ros.segment.events import FramesAppended, SegmentClosed, SegmentOpened, Update
from robovalue_ros.segment.naming import clip_name, codes_name, energy_path, prequant_name
from robovalue_ros.segment.options import StreamOptions

PERF_FILE = "stream_perf.jsonl"


class Recorder:
    """Writes the results of one video as they come.

    A clip gets its name only after its codes lie beside it, so that whenever the program ends there
    is no clip without them. fps: of the frames that times are told in. live: files grow under their
    names, and the list of actions is written after each of them. codebook: see `codes_document`.
    """

    def __init__(
        self,
        folder: ResultsFolder,
        config: SegmentStreamConfig,
        options: StreamOptions,
        *,
        has_codes: bool,
        fps: float,
        mode: str,
        live: bool = False,
        codebook: Mapping[str, Any] | None = None,
    ) -> None:
        self.kept: list[SegmentClosed] = []
        self.dropped: Counter[str] = Counter()
        self._folder, self._config, self._options = folder, config, options
        self._has_codes, self._fps, self._mode, self._live = has_codes, fps, mode, live
        self._codebook = codebook
        self._clip: ClipWriter | None = None
        self._name = ""
        self._lines: dict[str, LineFile] = {}
        self._open_lines()

    @property
    def options(self) -> StreamOptions:
        return self._options

    def tune(self, options: StreamOptions) -> None:
        """Tell of other thresholds from now on."""
        self._options = options

    def take(self, update: Update, times: WindowTimes) -> None:
        """Write what a window brought."""
        reading = update.reading
        if reading.energy is not None:
            chosen = self._options.energy
            line = energy_line(reading.window, reading.energy, chosen.source, chosen.mode)
            self._write("energy", line)
        if reading.tokens is not None:
            codes = reading.tokens.codes.tolist()
            self._write("codes", {"window": reading.window, "codes": codes})
            if self._config.output.prequant:
                self._write_prequant(reading.window, reading.tokens.prequant)
        self._write(
            "perf", {"video": self._folder.item.video, "win": reading.window, **times.line()}
        )
        if not self._config.cut.segment:
            return
        for event in update.events:
            if isinstance(event, SegmentOpened):
                self._begin(event)
            elif isinstance(event, FramesAppended):
                self._append(event)
            else:
                self.close(event)

    def close(self, closed: SegmentClosed) -> None:
        """Keep the clip of an action with its codes, or throw it away."""
        clip, self._clip = self._clip, None
        if not closed.kept:
            self.dropped[closed.why] += 1
            if clip is not None:
                clip.drop()
            return
        if clip is not None:
            clip.close()
        if self._config.cut.export_codes:
            clip_path = str(self._folder.clips / self._name)
            document = codes_document(closed, self._options, clip_path, self._codebook)
            # Codes belong to a clip and are many numbers: one line, without blanks.
            write_bytes(self._folder.codes / codes_name(self._name), _compact(document))
        if clip is not None:
            clip.keep()
        # Its codes lie on disk: memory must not grow with them.
        self.kept.append(replace(closed, codes=()))
        if self._live:
            self._write_list(None)

    def finish(self, duration_s: float | None, summary: dict[str, Any] | None) -> None:
        """Write what is told at the end, and give unfinished files their names."""
        if self._config.cut.segment and self._config.output.export_segments_json:
            self._write_list(duration_s)
        if summary is not None and self._config.output.perf_summary:
            write_json(self._summary_path(), summary)
        for lines in self._lines.values():
            lines.keep()

    def abandon(self) -> None:
        """Throw away what is not finished; what has its name stays."""
        if self._clip is not None:
            self._clip.drop()
        for lines in self._lines.values():
            lines.drop()

    def _begin(self, event: SegmentOpened) -> None:
        output = self._config.output
        self._name = clip_name(event.number, event.window, output.ext)
        if output.clips:
            rate = self._options.target_fps or self._fps
            if self._options.resample == "native" and not self._live:
                rate = self._fps
            self._clip = ClipWriter(self._folder.clips / self._name, rate, output.codec)

    def _append(self, event: FramesAppended) -> None:
        if self._clip is not None:
            for image in event.images:
                self._clip.write(image)

    def _write(self, kind: str, line: dict[str, Any]) -> None:
        if kind in self._lines:
            self._lines[kind].write(line)

    def _write_prequant(self, window: int, tokens: Any) -> None:
        folder = self._config.output.prequant_dir
        where = self._folder.path / PREQUANT_FOLDER if folder is None else folder / self._name_of()
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(tokens, np.float32), allow_pickle=False)
        write_bytes(where / prequant_name(window), buffer.getvalue())

    def _write_list(self, duration_s: float | None) -> None:
        suffix = self._config.output.segments_json_suffix
        document = segments_document(
            self._folder.item.video, self.kept, self._options, mode=self._mode, fps=self._fps,
            duration_s=duration_s, processed_at=datetime.now(timezone.utc).isoformat(),
        )  # fmt: skip
        write_json(self._folder.clips / f"{self._name_of()}{suffix}.json", document)

    def _open_lines(self) -> None:
        output, chosen = self._config.output, self._options.energy
        wanted = {
            "energy": (output.energy_jsonl, output.energy_jsonl_path),
            "codes": (output.jsonl_output and self._has_codes, output.jsonl_path),
        }
        segments = str(self._folder.path.parent) if self._config.cut.segment else None
        for kind, (on, pattern) in wanted.items():
            if on:
                path = energy_path(pattern, self._name_of(), chosen.source, chosen.mode, segments)
                self._lines[kind] = LineFile(Path(path), growing=self._live)
        if output.perf_jsonl:
            given = Path(output.perf_jsonl_path or PERF_FILE)
            folder = self._folder.path
            if given.parent != Path():
                folder = given.parent / self._name_of()
            self._lines["perf"] = LineFile(folder / given.name, growing=self._live)

    def _summary_path(self) -> Path:
        folder = self._config.output.perf_summary_dir or self._folder.path
        return folder / f"{self._name_of()}_perf_summary.json"

    def _name_of(self) -> str:
        return self._folder.path.name


def _compact(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n").encode()
