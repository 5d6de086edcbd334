"""Did the references cluster, and which eps suits them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from robovalue_ros.cli.main import main
from robovalue_ros.cli.value_check_clusters import summary
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.data.value_store.centers import (
    CLUSTER_FILE,
    CentersAbout,
    write_cluster_centers,
)
from robovalue_ros.pipelines.diagnose.clusters import (
    check_clusters,
    cluster_cloud,
    recommended_eps,
)
from robovalue_ros.pipelines.diagnose.inputs import ReferenceEpisode
from robovalue_ros.pipelines.diagnose.plane import fit_plane
from robovalue_ros.pipelines.recordings import Recording
from robovalue_ros.report.view.scatter import draw_cloud
from robovalue_ros.value.episodes import KeyedEmbeddings
from robovalue_ros.value.reference import ClusterOptions, fit_group

N = 6


@pytest.mark.parametrize(
    ("mode", "fusion", "keys"),
    [("wrist", "dist_min", ("single",)), ("both", "dist_min", ("high", "wrist")),
     ("both", "emb_concat", ("fused",))],
)  # fmt: skip
def test_every_group_has_its_line(runs: Any, mode: str, fusion: str, keys: tuple[str, ...]) -> None:
    check = check_clusters(runs(mode, fusion).out)
    assert len(check.lines) == 2 * len(keys) * N
    assert {line.key for line in check.lines} == set(keys)
    assert [line.segment for line in check.lines[:N]] == list(range(N))
    for line in check.lines:
        assert line.points == 8 and 0 <= line.noise <= 8
        assert line.fallback == (line.clusters == 0)
        assert line.nearest is not None and line.knn is not None and line.eps == 3.0
    assert check.recommended is not None
    enough = sum(line.suggested <= check.recommended for line in check.lines)
    assert enough >= 0.9 * len(check.lines)


def test_one_task_alone(runs: Any) -> None:
    check = check_clusters(runs("high").out, "put the cup away")
    assert {line.task for line in check.lines} == {"put the cup away"} and len(check.lines) == N
    with pytest.raises(ConfigError, match="Did you mean 'put the cup away'"):
        check_clusters(runs("high").out, "put the cups away")


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60))
def test_the_recommended_eps_is_enough_for_nine_in_ten(suggestions: list[float]) -> None:
    eps = recommended_eps(suggestions)
    assert eps is not None
    assert sum(s <= eps * (1 + 1e-9) for s in suggestions) >= 0.9 * len(suggestions)
    assert eps <= max(suggestions) * 1.0101
    assert recommended_eps([]) is None


def test_the_cloud_is_what_the_fit_saw(runs: Any) -> None:
    for mode, fusion, key in (
        ("high", "dist_min", None), ("both", "dist_mean", "wrist"), ("both", "emb_mean", "fused"),
    ):  # fmt: skip
        run = runs(mode, fusion)
        cloud = cluster_cloud(run.out, run.series_of, run.references_of, key=key, segment=4)
        line = next(
            found for found in check_clusters(run.out).lines
            if (found.task, found.key, found.segment) == (cloud.title, key or "single", 4)
        )  # fmt: skip
        assert len(cloud.points) == line.points
        assert int((cloud.labels < 0).sum()) == line.noise
        assert int(cloud.labels.max()) + 1 == line.clusters
        assert "segment 4 of 6" in cloud.subtitle
        picture = draw_cloud(cloud)
        assert picture == draw_cloud(cloud)
        with Image.open(io.BytesIO(picture)) as drawn:
            assert drawn.size == (1350, 1140)


def test_the_order_of_references_does_not_matter(runs: Any) -> None:
    run = runs("high")
    one = cluster_cloud(run.out, run.series_of, run.references_of)
    two = cluster_cloud(run.out, run.series_of, lambda out, ids: run.references[::-1])
    np.testing.assert_allclose(np.sort(one.points, axis=0), np.sort(two.points, axis=0), atol=1e-4)


def test_embeddings_of_another_run_are_refused(runs: Any) -> None:
    run = runs("high")
    with pytest.raises(DataError, match="holds 7 embeddings"):
        cluster_cloud(run.out, run.series_of, lambda out, ids: run.references[:7])
    with pytest.raises(DataError, match="names no reference"):
        cluster_cloud(run.out, run.series_of, lambda out, ids: [])
    with pytest.raises(ConfigError, match=r"one of 0\.\.5"):
        cluster_cloud(run.out, run.series_of, run.references_of, segment=6)
    with pytest.raises(ConfigError, match="no key 'wrist'"):
        cluster_cloud(run.out, run.series_of, run.references_of, key="wrist")


def test_progress_warp(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(9, 5)), rng.normal(size=(6, 5)) + 40]).astype(np.float32)
    cfg = {"camera_mode": "wrist", "camera_fusion": "dist_min", "dbscan_eps": "auto",
           "dbscan_min_samples": 2}  # fmt: skip
    group = fit_group(x, ClusterOptions("auto", 2, 0))
    write_cluster_centers(
        tmp_path / CLUSTER_FILE, {"t": {"single": group}}, CentersAbout("e", "c", cfg, "s", ())
    )
    (line,) = check_clusters(tmp_path).lines
    assert line.segment is None and line.clusters >= 2 and not line.fallback

    def series_of(out: Path, recording: Recording, series: str) -> Any:
        assert series == "prefix"
        last = x[int(recording.episode_id)]
        return {"wrist": KeyedEmbeddings(np.array([0, 90]), np.stack([last * 0, last]))}

    references = [
        ReferenceEpisode(Recording("teleop", tmp_path, str(n), tmp_path / str(n)), "t")
        for n in range(15)
    ]
    cloud = cluster_cloud(tmp_path, series_of, lambda out, ids: references)
    assert int(cloud.labels.max()) + 1 == line.clusters
    assert len(set(cloud.labels[:9]) & set(cloud.labels[9:]) - {-1}) == 0
    with pytest.raises(ConfigError, match="has no segments"):
        cluster_cloud(tmp_path, series_of, lambda out, ids: references, segment=2)


def test_a_single_reference_has_no_eps(tmp_path: Path) -> None:
    cfg = {"camera_mode": "high", "camera_fusion": "dist_min", "dbscan_eps": 0.5,
           "dbscan_min_samples": 2}  # fmt: skip
    group = fit_group(np.ones((1, 3), np.float32), ClusterOptions())
    write_cluster_centers(
        tmp_path / CLUSTER_FILE, {"t": {"single": group}}, CentersAbout("e", "c", cfg, "s", ())
    )
    check = check_clusters(tmp_path)
    assert check.recommended is None and "single reference" in summary(check)[1]


def test_the_command(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out = runs("both").out
    assert main(["value", "check-clusters", "--out-cache-dir", str(out)]) == 0
    said = capsys.readouterr().out
    assert "recommended: --dbscan-eps" in said and "打开 drawer 50%  ·  wrist" in said


def test_a_folder_without_centres_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["value", "check-clusters", "--out-cache-dir", str(tmp_path)]) == 2
    assert "holds no centres" in capsys.readouterr().err


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_a_plane_keeps_distances_as_far_as_two_axes_can(rows: int, width: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    plane = fit_plane(x)
    xy = plane.apply(x)
    assert xy.shape == (rows, 2) and np.isfinite(xy).all()
    assert plane.share.sum() <= 1 + 1e-6
    far = np.linalg.norm(x[:, None] - x, axis=-1)
    seen = np.linalg.norm(xy[:, None] - xy, axis=-1)
    assert (seen <= far + 1e-3).all()
    if rows <= 3 or width <= 2:
        np.testing.assert_allclose(seen, far, atol=1e-3)
