"""The files of an output folder: which recording gets which, and what a fresh start removes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from robovalue_ros.data.embedding_cache.store import STALE_SECONDS
from robovalue_ros.data.value_store.causal import CAUSAL_FOLDER
from robovalue_ros.data.value_store.centers import CLUSTER_FILE, SEGMENT_FILE
from robovalue_ros.data.value_store.metadata import METADATA_FILE
from robovalue_ros.data.value_store.naming import VALUES_FOLDER, value_names
from robovalue_ros.data.value_store.reports import CLUSTER_REPORT, SEGMENT_REPORT
from robovalue_ros.data.value_store.rows import ROWS_FILE, read_rows
from robovalue_ros.data.value_store.warp import WARP_FILE
from robovalue_ros.pipelines.estimate.journal import LOG_FILE
from robovalue_ros.pipelines.estimate.value_model import MODEL_FILE
from robovalue_ros.pipelines.recordings import Recording
from robovalue_ros.pipelines.results import file_name_of

RUN_FILE = "estimate.json"
REPORT_FILE = "report.html"
OWN_FILES = (
    ROWS_FILE, METADATA_FILE, LOG_FILE, CLUSTER_FILE, CLUSTER_REPORT, SEGMENT_FILE, SEGMENT_REPORT,
    WARP_FILE, MODEL_FILE, RUN_FILE, REPORT_FILE,
)  # fmt: skip
OWN_PATTERNS = ("segmatch50_diffusion_*",)
OWN_FOLDERS = (VALUES_FOLDER, CAUSAL_FOLDER)


def clear(out: Path) -> None:
    """Remove the results of earlier runs and nothing else; stored embeddings stay."""
    for name in OWN_FILES:
        (out / name).unlink(missing_ok=True)
    for pattern in OWN_PATTERNS:
        for file in out.glob(pattern):
            file.unlink()
    for name in OWN_FOLDERS:
        folder = out / name
        for file in (*folder.glob("*.npz"), *folder.glob("*/*.npz")):
            file.unlink()
        for inner in (*folder.glob("*/"), folder):
            if inner.is_dir() and not inner.is_symlink() and not any(inner.iterdir()):
                inner.rmdir()


def sweep(out: Path) -> None:
    """Remove temporary files of runs that were killed, once they are surely nobody's."""
    for folder in (out, *(out / name for name in OWN_FOLDERS)):
        for file in (*folder.glob(".tmp-*"), *folder.glob("*/.tmp-*")):
            try:
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    file.unlink()
            except FileNotFoundError:
                continue


def result_names(out: Path, recordings: Sequence[Recording]) -> tuple[str, ...]:
    """Return the file of each recording, relative to its folder; earlier names are kept."""
    taken: dict[str, Path] = {}
    log = out / ROWS_FILE
    if log.is_file():
        for row in read_rows(log):
            if "out_npz" in row.details:
                name = file_name_of(str(row.details["out_npz"])) + ".npz"
                # Logs of today's tools name files as they were typed.
                path = Path(row.hdf5)
                taken.setdefault(name, path.parent.resolve() / path.name)
    return value_names([(item.source, item.path) for item in recordings], taken)
