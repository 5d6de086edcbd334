"""Finished runs of segment_match50 on embeddings that are known, with real files of results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.value_store.centers import (
    SEGMENT_FILE,
    CentersAbout,
    write_segment_centers,
)
from robovalue_ros.data.value_store.diffusion import training_rows, write_scorers
from robovalue_ros.data.value_store.episode import Recording as Stored
from robovalue_ros.data.value_store.episode import write_segment_values
from robovalue_ros.data.value_store.ids import cfg_id
from robovalue_ros.data.value_store.metadata import METADATA_FILE
from robovalue_ros.data.value_store.naming import VALUES_FOLDER
from robovalue_ros.data.value_store.reports import write_report
from robovalue_ros.data.value_store.rows import ROWS_FILE, Row, RowLog
from robovalue_ros.pipelines.diagnose.inputs import ReferenceEpisode
from robovalue_ros.pipelines.estimate.prepare import recording_key
from robovalue_ros.pipelines.recordings import Recording
from robovalue_ros.value.config import SegmentConfig
from robovalue_ros.value.embed import windows
from robovalue_ros.value.episodes import EmbeddedEpisode, KeyedEmbeddings
from robovalue_ros.value.segment_method import SegmentCurve, fit_segments, score_segments

TASKS = ("put the cup away", "打开 drawer 50%")
N, D, LENGTH = 6, 12, 60
SERIES = f"win{N}s6"


@dataclass
class Run:
    """A results folder and the embeddings that a cache would hold."""

    out: Path
    config: SegmentConfig
    cfg_id: str = ""
    cache: dict[tuple[Path, str], Mapping[str, KeyedEmbeddings]] = field(default_factory=dict)
    references: list[ReferenceEpisode] = field(default_factory=list)
    costs: dict[str, Any] = field(default_factory=dict)

    def series_of(
        self, out: Path, recording: Recording, series: str
    ) -> Mapping[str, KeyedEmbeddings]:
        if (recording.path, series) not in self.cache:
            raise DataError(recording.path, f"has no stored {series}")
        return self.cache[recording.path, series]

    def references_of(self, out: Path, ids: Collection[str]) -> Sequence[ReferenceEpisode]:
        assert set(ids) == {"a"}
        return self.references


def _recording(folder: Path, source: str, name: str) -> Recording:
    path = folder / source / f"{name}.hdf5"
    return Recording(source, path, name, path)


def _vectors(
    centres_ND: Any, where: Any, rng: np.random.Generator, cameras: Sequence[str], lost: bool
) -> dict[str, Any]:
    """Return embeddings along a line of centres; a lost episode stops halfway."""
    where = np.minimum(where, 0.5) if lost else where
    place = where * (N - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, N - 1)
    share = (place - low)[:, None]
    x = centres_ND[low] * (1 - share) + centres_ND[high] * share
    shift = {"high": 0.0, "wrist": 1.5}
    return {
        name: (x + shift[name] + rng.normal(size=x.shape) * 0.25).astype(np.float32)
        for name in cameras
    }


def build(out: Path, mode: str, fusion: str = "dist_min", *, score: str = "diffusion") -> Run:
    """Fit, score and write a run, as the estimate does."""
    config = SegmentConfig(
        camera_mode=mode, camera_fusion=fusion, segment_match_score=score,  # type: ignore[arg-type]
        segment_match_num_segments=N, dbscan_eps=3.0, segment_match_diffusion_pca_dim=5,
        segment_match_diffusion_timesteps=40, segment_match_diffusion_hidden_dim=24,
        segment_match_diffusion_num_layers=2, segment_match_diffusion_epochs=150,
        segment_match_diffusion_lr=3e-3, segment_match_diffusion_t_eval=10,
        segment_match_diffusion_seed=3, segment_match_diffusion_noise_samples=2,
    )  # fmt: skip
    run = Run(out, config)
    rng = np.random.default_rng(7)
    cameras = ("high", "wrist") if mode == "both" else (mode,)
    ends = windows(LENGTH, N, 6)[:, 1]
    embedded: list[EmbeddedEpisode] = []
    scored: list[tuple[Recording, EmbeddedEpisode]] = []
    for task in TASKS:
        centres = rng.normal(size=(N, D)) * 3
        for n in range(8):
            recording = _recording(out, "teleop", f"{TASKS.index(task)}_demo_{n}")
            x = _vectors(centres, np.linspace(0, 1, N), rng, cameras, False)
            found = {c: KeyedEmbeddings(np.arange(N), x[c]) for c in cameras}
            run.cache[recording.path, f"seg{N}"] = found
            run.references.append(ReferenceEpisode(recording, task))
            embedded.append(EmbeddedEpisode(recording_key(recording), task, LENGTH, True, found))
        for n in range(6):
            success = n < 3
            source = "rollouts_success" if success else "rollouts_failure"
            recording = _recording(out, source, f"{TASKS.index(task)}_{n % 3}")
            x = _vectors(centres, ends / (LENGTH - 1), rng, cameras, not success)
            found = {c: KeyedEmbeddings(ends, x[c]) for c in cameras}
            run.cache[recording.path, SERIES] = found
            key = recording_key(recording)
            scored.append((recording, EmbeddedEpisode(key, task, LENGTH, success, found)))
    model = fit_segments(embedded, config)
    cfg = {"camera_mode": mode, "camera_fusion": fusion, "dbscan_eps": 3.0,
           "dbscan_min_samples": 2, "dbscan_pca_dim": 0}  # fmt: skip
    about = CentersAbout("embed", cfg_id(cfg), cfg, "sig", ("a",))
    write_segment_centers(out / SEGMENT_FILE, model.groups, about)
    if score == "diffusion":
        train = training_rows(model.scorers, embedded, config)
        run.cfg_id = write_scorers(out, cfg | {"seed": 3}, model.scorers, train)
    metadata = {"value_method": "segment_match50"} | {
        f"segment_match_diffusion_{name}": getattr(config, f"segment_match_diffusion_{name}")
        for name in ("t_eval", "noise_samples", "seed")
    }
    write_report(out / METADATA_FILE, metadata)
    curves = score_segments(model, [episode for _, episode in scored])
    with RowLog(out / ROWS_FILE) as log:
        for (recording, _), curve in zip(scored, curves, strict=True):
            assert isinstance(curve, SegmentCurve)
            name = f"{recording.source}/{recording.path.name}.npz"
            target = out / VALUES_FOLDER / name
            write_segment_values(
                target, curve, Stored(recording.source, 0, LENGTH - 1), config,
                segment_centers_path="", segment_centers_cfg_id=cfg_id(cfg),
                scoring_cfg={"diffusion_cfg_id": run.cfg_id},
            )  # fmt: skip
            details = {"out_npz": str(target), "data": str(recording.path),
                       "episode": recording.episode_id}  # fmt: skip
            log.append(Row(str(recording.path), "segmatch_score", "written", details))
            run.costs[name.removesuffix(".npz")] = curve.match_cost_sparse
    return run


CHOICES = (
    ("high", "dist_min"), ("wrist", "dist_min"), ("both", "dist_min"), ("both", "dist_mean"),
    ("both", "emb_mean"), ("both", "emb_concat"),
)  # fmt: skip


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that gives the run of a camera mode and fusion, made once."""
    made: dict[tuple[str, str], Run] = {}

    def run(mode: str, fusion: str = "dist_min") -> Run:
        if (mode, fusion) not in made:
            made[mode, fusion] = build(tmp_path_factory.mktemp(f"{mode}-{fusion}"), mode, fusion)
        return made[mode, fusion]

    return run


@pytest.fixture
def fresh(tmp_path: Path) -> Run:
    """A run of one camera that a test may damage."""
    return build(tmp_path / "run", "high")
