"""What an output folder of `robovalue value estimate` holds, ours or of today's tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.causal import CAUSAL_FOLDER, CausalValues, read_causal
from robovalue_ros.data.value_store.episode import EpisodeValues, read_values
from robovalue_ros.data.value_store.naming import VALUES_FOLDER
from robovalue_ros.data.value_store.rows import ROWS_FILE, SCORING, Row, read_rows
from robovalue_ros.pipelines.recordings import Recording

THERE = ("written", "reused", "ok", "hit")
OUTDATED = ("skipped", "error")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredEpisode:
    """A recording with what was stored about it; at least one of the two curves is there.

    name: of its files, relative, without `.npz`. hindsight: the curve that knew outcome and length.
    causal: what a live stream would have said.
    """

    name: str
    recording: Recording
    task: str
    success: bool | None
    hindsight: EpisodeValues | None
    causal: CausalValues | None


def scored_episodes(out: Path) -> tuple[tuple[ScoredEpisode, ...], tuple[Finding, ...]]:
    """Read every scored episode of a folder, in the order in which they were first scored.

    Damaged files become findings. Raises DataError when there is nothing to read.
    """
    rows = _latest(read_rows(out / ROWS_FILE))
    found: list[ScoredEpisode] = []
    findings: list[Finding] = []
    for name, stages in rows.items():
        try:
            episode = _read(out, name, stages)
        except DataError as problem:
            advice = "Run the estimate again; the file is made anew."
            findings.append(Finding("error", name, str(problem), advice))
            continue
        if episode is not None:
            found.append(episode)
    if not found:
        raise DataError(
            out, "holds no scored episode", "a folder written by `robovalue value estimate`",
            findings[0].found if findings else "",
        )  # fmt: skip
    return tuple(found), tuple(findings)


def _latest(rows: tuple[Row, ...]) -> dict[str, dict[str, Row]]:
    """Return the last rows of each result, by folder, in order of first appearance.

    A recording that was skipped or failed since then has no row: what lies there is outdated.
    """
    latest: dict[str, dict[str, Row]] = {}
    names: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.stage not in SCORING:
            continue
        folder = CAUSAL_FOLDER if row.stage == "causal" else VALUES_FOLDER
        if row.status in THERE and "out_npz" in row.details:
            name = file_name_of(str(row.details["out_npz"]))
            names[row.hdf5, folder] = name
            latest.setdefault(name, {})[folder] = row
        elif row.status in OUTDATED and (row.hdf5, folder) in names:
            latest[names[row.hdf5, folder]].pop(folder, None)
    return latest


def file_name_of(out_npz: str) -> str:
    """Return a result file's name below its folder, wherever the output folder lies by now."""
    parts = Path(out_npz).parts
    # The last one: the output folder may itself lie below a folder of that name.
    folders = [at for at, part in enumerate(parts) if part in (VALUES_FOLDER, CAUSAL_FOLDER)]
    below = parts[folders[-1] + 1 :] if folders else parts[-1:]
    return Path(*below).as_posix().removesuffix(".npz")


def _read(out: Path, name: str, rows: Mapping[str, Row]) -> ScoredEpisode | None:
    values, stream = (
        out / folder / f"{name}.npz" if folder in rows else None
        for folder in (VALUES_FOLDER, CAUSAL_FOLDER)
    )
    hindsight = read_values(values) if values is not None and values.is_file() else None
    causal = read_causal(stream) if stream is not None and stream.is_file() else None
    if hindsight is None and causal is None:
        return None
    row = next(iter(rows.values()))
    path = Path(row.hdf5)
    data = Path(str(row.details.get("data", path)))
    episode_id = str(row.details.get("episode", path.stem))
    success: bool | None
    if causal is not None:
        source, task, success = causal.source, causal.task, causal.success
    if hindsight is not None:
        source, task = str(hindsight.meta["source"]), str(hindsight.meta["task"])
        # The causal curve alone can say that nobody told.
        success = bool(hindsight.meta["is_success"]) if causal is None else causal.success
    return ScoredEpisode(
        name, Recording(source, data, episode_id, path), task, success, hindsight, causal
    )
