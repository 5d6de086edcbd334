"""Do the denoisers tell segments and outcomes apart: files, numbers, repetition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.diffusion import TRAIN_FILE, read_scorers
from robovalue_ros.data.value_store.npz import read_members
from robovalue_ros.pipelines.diagnose.diffusion import (
    HISTOGRAM_FILE,
    SUMMARY_FILE,
    DiffusionCheckOptions,
    check_diffusion,
)
from robovalue_ros.pipelines.diagnose.heat_maps import HeatMaps, episode_costs
from robovalue_ros.pipelines.diagnose.inputs import CameraChoice
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.value.identity import short_id

N = 6
TASKS = ("put the cup away", "打开 drawer 50%")
CHOICES = (
    ("high", "dist_min", "single"), ("wrist", "dist_min", "single"),
    ("both", "dist_min", "high+wrist"), ("both", "emb_mean", "fused"),
)  # fmt: skip


@pytest.mark.parametrize(("mode", "fusion", "key"), CHOICES)
def test_every_mode_draws_everything(runs: Any, mode: str, fusion: str, key: str) -> None:
    run = runs(mode, fusion)
    options = DiffusionCheckOptions(heatmap_num_episodes=3)
    check = check_diffusion(run.out, run.series_of, options)
    summary = check.summary
    assert check.findings == ()
    assert summary["key"] == key and summary["cfg_id"] == run.cfg_id and summary["task"] == TASKS[0]
    assert summary["n_rollouts_success"] == summary["n_rollouts_failure"] == 6
    stem = f"segmatch50_diffusion_confusion__{short_id(TASKS[0])}__{key}"
    assert Path(summary["confusion_npz"]) == run.out / f"{stem}.npz"
    members = read_members(run.out / f"{stem}.npz")
    counts = members.array("conf", "i", 2)
    assert counts.shape == (N, N) and counts.dtype == np.int32 and counts.sum() == 8 * N
    assert summary["confusion_acc"] == pytest.approx(np.trace(counts) / counts.sum())
    assert summary["confusion_acc"] > 0.5  # segments of these references lie far apart
    assert members.text("task") == TASKS[0] and members.text("cfg_id") == run.cfg_id
    with Image.open(summary["confusion_png"]) as picture:
        assert picture.size == (1600, 1400)  # 8 by 7 inches at 200 dots
        assert round(picture.info["dpi"][0]) == 200
    assert Path(summary["rollouts_cost_hist_png"]) == run.out / HISTOGRAM_FILE
    assert len(set(summary["heatmap_pngs"])) == 3
    assert all(Path(path).is_file() for path in summary["heatmap_pngs"])
    assert json.loads((run.out / SUMMARY_FILE).read_text()) == dict(summary)


def test_the_same_seed_gives_the_same_bytes(runs: Any) -> None:
    run = runs("both")

    def files() -> dict[str, bytes]:
        check_diffusion(run.out, run.series_of, DiffusionCheckOptions(seed=4))
        names = [p for p in run.out.iterdir() if "confusion" in p.name or "heatmap" in p.name]
        return {p.name: p.read_bytes() for p in names}

    assert files() == files()


def test_heat_maps_show_the_stored_costs(runs: Any) -> None:
    """Each by the denoisers of its own task, with the noise of the run."""
    run = runs("both")
    scorers = read_scorers(run.out, run.cfg_id)
    assert scorers is not None
    options = HeatMaps(scorers, CameraChoice("both", "dist_min"), 10, 2, 3, 0, 9, "any")
    for episode in scored_episodes(run.out)[0]:
        cost, path = episode_costs(run.out, episode, options, run.series_of)
        assert episode.hindsight is not None
        stored = episode.hindsight.sparse["match_cost_sparse"]
        assert np.array_equal(cost[np.arange(len(path)), path], stored)


def test_kinds_and_the_other_task(runs: Any) -> None:
    run = runs("high")
    options = DiffusionCheckOptions(
        task=TASKS[1], heatmap_kind="failure", heatmap_num_episodes=50, max_train_samples=10
    )
    summary = check_diffusion(run.out, run.series_of, options).summary
    assert len(summary["heatmap_pngs"]) == 6
    assert read_members(Path(summary["confusion_npz"])).array("conf", "i", 2).sum() == 10


def test_missing_embeddings_are_told_and_the_rest_is_done(fresh: Any) -> None:
    lost = {key for key in fresh.cache if key[0].name == "0_1.hdf5"}
    for key in lost:
        del fresh.cache[key]
    options = DiffusionCheckOptions(heatmap_num_episodes=99)
    check = check_diffusion(fresh.out, fresh.series_of, options)
    assert len(check.summary["heatmap_pngs"]) == 10
    assert len(check.findings) == 2 and "has no heat map" in check.findings[0].found


def test_ids_are_compared(fresh: Any) -> None:
    path = fresh.out / TRAIN_FILE
    arrays = dict(read_members(path).arrays)
    write_arrays(path, arrays | {"diffusion_cfg_id": "other"})
    with pytest.raises(DataError, match="is of configuration other"):
        check_diffusion(fresh.out, fresh.series_of, DiffusionCheckOptions())


def test_episodes_of_other_denoisers_are_left_out(fresh: Any) -> None:
    path = next((fresh.out / "episode_values" / "rollouts_success").iterdir())
    arrays = dict(read_members(path).arrays)
    from robovalue_ros.data.value_store.ids import cfg_id

    other = {"diffusion_cfg_id": "other"}
    write_arrays(path, arrays | {"scoring_cfg": json.dumps(other), "scoring_cfg_id": cfg_id(other)})
    check = check_diffusion(fresh.out, fresh.series_of, DiffusionCheckOptions())
    assert check.summary["n_rollouts_success"] == 5
    assert "diffusion other, not with" in check.findings[0].found


def test_a_folder_without_denoisers_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["value", "check-diffusion", "--out-cache-dir", str(tmp_path)]) == 2
    assert "segmatch50_diffusion_scaler.npz: is absent" in capsys.readouterr().err
