"""What a run tells while it works: rows per recording, counts, the log file and findings."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.rows import ROWS_FILE, Row, RowLog
from robovalue_ros.pipelines.estimate.prepare import Skipped
from robovalue_ros.pipelines.recordings import Recording

LOG_FILE = "estimate_vjepa_value.log"
LEVELS = {"ok": "INFO", "note": "INFO", "warning": "WARNING", "error": "ERROR"}


class Journal:
    """Rows go to the row log, sentences to the log file; a context manager.

    Raises DataError when the folder cannot be written.
    """

    def __init__(self, out: Path, progress: Progress) -> None:
        self._rows = RowLog(out / ROWS_FILE)
        self._log = (out / LOG_FILE).open("a", encoding="utf-8")
        self._progress = progress
        self._findings: dict[Finding, None] = {}
        self._counts: dict[str, Counter[str]] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings)

    def counts(self, stage: str) -> Counter[str]:
        """Return how many recordings ended a stage with each status."""
        return Counter(self._counts.get(stage, ()))

    def done(self, recording: Recording, stage: str, out_npz: Path, *, reused: bool) -> None:
        """Enter a recording whose values lie in a file."""
        status = "reused" if reused else "written"
        self._enter(recording, stage, status, {"out_npz": str(out_npz)})

    def skipped(self, recording: Recording, stage: str, skipped: Skipped) -> None:
        """Enter a recording that has nothing to score."""
        details: dict[str, Any] = {"reason": skipped.reason}
        if skipped.reason == "too_long":
            details["t_total"] = skipped.total
        self._enter(recording, stage, "skipped", details)
        self.log("WARNING", f"skipped {recording.path}: {skipped.reason}")

    def failed(self, recording: Recording, stage: str, reason: str) -> None:
        """Enter a recording that could not be used."""
        self._enter(recording, stage, "error", {"error": reason})
        self.log("ERROR", f"{recording.path}: {reason}")
        self._progress.say(f"left out {recording.path.name}: {reason}")
        self._findings.setdefault(Finding("error", recording.path.name, reason))

    def find(self, *findings: Finding) -> None:
        """Keep findings for the end of the run; each is logged once."""
        for finding in findings:
            if finding not in self._findings:
                self._findings[finding] = None
                text = f"{finding.subject}: {finding.found} {finding.advice}".rstrip()
                self.log(LEVELS[finding.level], text)

    def log(self, level: str, text: str) -> None:
        """Add a line to the log file."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._log.write(f"{stamp} {level} {' '.join(text.split())}\n")
        self._log.flush()

    def _enter(
        self, recording: Recording, stage: str, status: str, details: dict[str, Any]
    ) -> None:
        if not recording.whole_file:
            details |= {"data": str(recording.data), "episode": recording.episode_id}
        self._rows.append(Row(str(recording.path), stage, status, details))
        self._counts.setdefault(stage, Counter())[status] += 1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if problem is not None:
            self.log("ERROR", f"the run ended early: {problem or type(problem).__name__}")
        self._log.flush()
        os.fsync(self._log.fileno())
        self._log.close()
        self._rows.close()
