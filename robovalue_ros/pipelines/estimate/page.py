"""The page of a run, `report.html`, made when there are newer values than it shows."""

from __future__ import annotations

from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.outputs import OWN_FOLDERS, REPORT_FILE
from robovalue_ros.pipelines.recordings import Readers
from robovalue_ros.pipelines.results import scored_episodes


def write_page(config: EstimateConfig, readers: Readers, progress: Progress) -> Path | None:
    """Write the page unless the one that lies there is up to date; None without any values.

    With actions it is always written: the page that lies there may show none, or other ones.
    """
    out = config.out_cache_dir
    target = out / REPORT_FILE
    if config.report_segments is None and _is_new(target, out):
        return target
    # Encoding videos needs libraries that a run without news does not load.
    from robovalue_ros.pipelines.value_report import write_value_report

    try:
        episodes, findings = scored_episodes(out)
    except DataError:
        return None  # nothing could be scored, and the journal says why
    facts = {
        "value method": config.value_method, "camera mode": config.camera_mode,
        "camera fusion": config.camera_fusion if config.camera_mode == "both" else None,
        "encoder": config.encoder_name, "causal curves": config.causal,
    }  # fmt: skip
    return write_value_report(
        episodes, readers, target, title=out.resolve().name, limit=config.report_limit,
        segments=config.report_segments,
        facts={name: fact for name, fact in facts.items() if fact is not None},
        findings=findings, progress=progress,
    )  # fmt: skip


def _is_new(target: Path, out: Path) -> bool:
    """Tell whether a page was written after all values that lie there."""
    if not target.is_file():
        return False
    files = [file for name in OWN_FOLDERS for file in (out / name).rglob("*.npz")]
    newest = max((file.stat().st_mtime_ns for file in files), default=0)
    return target.stat().st_mtime_ns > newest
