"""Segment centres and rollouts in a plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.pipelines.diagnose.centers_2d import (
    CentersOptions,
    _resampled,
    _Space,
    _thinned,
    draw_centers,
)
from robovalue_ros.pipelines.diagnose.inputs import CameraChoice

CHOICES = (
    ("high", "dist_min"), ("wrist", "dist_min"), ("both", "dist_min"), ("both", "dist_mean"),
    ("both", "emb_mean"), ("both", "emb_concat"),
)  # fmt: skip
FITS = ("success_centers", "rollouts", "mean_success_rollout")


@pytest.mark.parametrize(("mode", "fusion"), CHOICES)
def test_every_mode_is_drawn(runs: Any, mode: str, fusion: str, tmp_path: Path) -> None:
    run = runs(mode, fusion)
    options = CentersOptions(
        fit_on="rollouts", ignore_prefix=1, ignore_suffix=1, plot_ignored=True,
        mean_success_count=2, out_png=tmp_path / "x.png",
    )  # fmt: skip
    drawn = draw_centers(run.out, run.series_of, options)
    assert drawn.findings == () and drawn.path == tmp_path / "x.png"
    first = drawn.path.read_bytes()
    draw_centers(run.out, run.series_of, options)
    assert drawn.path.read_bytes() == first
    with Image.open(drawn.path) as picture:
        assert picture.size == (2400, 1800)


@pytest.mark.parametrize("fit_on", FITS)
def test_the_known_file_name(runs: Any, fit_on: Any) -> None:
    run = runs("high")
    options = CentersOptions(fit_on=fit_on, sample="first", seed=2, ignore_prefix=1)
    drawn = draw_centers(run.out, run.series_of, options)
    name = f"segmatch50_centers_and_rollouts_2d_fit{fit_on}_ignore1_0_samplefirst_seed2.png"
    assert drawn.path == run.out / name and drawn.path.is_file()


@pytest.mark.parametrize(("mode", "fusion"), CHOICES)
@pytest.mark.parametrize("unit", [True, False])
def test_a_demonstration_lies_on_its_centres(runs: Any, mode: str, fusion: str, unit: bool) -> None:
    """Centres and rollouts live in one space, whatever the fusion."""
    from robovalue_ros.data.value_store.centers import SEGMENT_FILE, read_segment_centers

    run = runs(mode, fusion)
    groups = read_segment_centers(run.out / SEGMENT_FILE).groups[run.references[0].task]
    space = _Space(groups, CameraChoice(mode, fusion), unit)  # type: ignore[arg-type]
    centres = space.centres()
    stored = run.series_of(run.out, run.references[0].recording, "seg6")
    rollout = space.rollout({name: found.vectors for name, found in stored.items()})
    assert rollout.shape == centres.shape
    away = np.linalg.norm(rollout[:, None] - centres, axis=-1)
    assert away.argmin(axis=1).tolist() == list(range(6))


def test_rollouts_without_embeddings_are_told(fresh: Any) -> None:
    fresh.cache = {key: found for key, found in fresh.cache.items() if key[1] == "seg6"}
    drawn = draw_centers(fresh.out, fresh.series_of, CentersOptions())
    assert len(drawn.findings) == 5 and drawn.path.is_file()
    with pytest.raises(DataError, match="no rollout to fit"):
        draw_centers(fresh.out, fresh.series_of, CentersOptions(fit_on="rollouts"))
    with pytest.raises(ConfigError, match="3 \\+ 3 of 6 centres are ignored"):
        options = CentersOptions(ignore_prefix=3, ignore_suffix=3)
        draw_centers(fresh.out, fresh.series_of, options)


def test_points_are_thinned_and_resampled() -> None:
    assert _thinned(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert _thinned(101, 3).tolist() == [0, 50, 100]
    x = np.array([[0.0], [2.0], [4.0]], np.float32)
    np.testing.assert_allclose(_resampled(x, 5)[:, 0], [0, 1, 2, 3, 4])
    np.testing.assert_allclose(_resampled(x[:1], 4)[:, 0], 0)
