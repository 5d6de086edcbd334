"""The three checks on a run of the estimate itself, from its commands to their files."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from robovalue_ros.cli.main import main
from robovalue_ros.data.value_store.diffusion import read_scorers, stored_diffusion_cfg
from robovalue_ros.pipelines.diagnose.heat_maps import HeatMaps, episode_costs
from robovalue_ros.pipelines.diagnose.inputs import CameraChoice
from robovalue_ros.pipelines.diagnose.stored import RunEmbeddings
from robovalue_ros.pipelines.results import scored_episodes
from robovalue_ros.wiring import open_reader

LENGTH = 48


def record(path: Path, seed: int, *, reach: float = 1.0) -> None:
    """Write a square that moves from left to right, to the end or not."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    place = np.linspace(0, reach, LENGTH)
    with h5py.File(path, "w") as file:
        file["/observations/qpos"] = np.repeat(place[:, None], 7, axis=1).astype(np.float32)
        file["/action"] = np.repeat(place[:, None], 7, axis=1).astype(np.float32)
        frames = rng.integers(60, 120, (LENGTH, 48, 64, 3)).astype(np.uint8)
        top = 6 + 5 * (seed % 5)
        for t, share in enumerate(place):
            left = int(share * 52)
            frames[t, top : top + 12, left : left + 12] = (230, 40, 30)
        file["/observations/images/cam_high"] = frames
        file["/task"] = np.array([b"push it over"] * LENGTH)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estimate")
    for n in range(4):
        record(folder / "demos" / f"episode_{n}.hdf5", n)
    record(folder / "rollouts" / "success" / "episode_0.hdf5", 10)
    record(folder / "rollouts" / "failure" / "episode_0.hdf5", 11, reach=0.4)
    words = {
        "--teleop-hdf5-dir": folder / "demos", "--rollouts-hdf5-dir": folder / "rollouts",
        "--out-cache-dir": folder / "out", "--value-method": "segment_match50",
        "--segment-match-score": "diffusion", "--segment-match-num-segments": 6,
        "--segment-match-diffusion-epochs": 5, "--segment-match-diffusion-hidden-dim": 16,
        "--dbscan-eps": "auto", "--fit-steps": 5,
    }  # fmt: skip
    line = [str(word) for pair in words.items() for word in pair]
    assert main(["value", "estimate", *line, "--no-report"]) == 0
    return folder / "out"


def test_costs_come_back_to_the_bit(out: Path) -> None:
    made, _ = stored_diffusion_cfg(out)
    scorers = read_scorers(out, made)
    assert scorers is not None
    options = HeatMaps(scorers, CameraChoice("high", "dist_min"), 20, 1, 0, 0, 9, "any")
    with RunEmbeddings(lambda read: partial(open_reader, options=read)) as stored:
        for episode in scored_episodes(out)[0]:
            cost, path = episode_costs(out, episode, options, stored.series_of)
            assert episode.hindsight is not None
            told = episode.hindsight.sparse["match_cost_sparse"]
            assert np.array_equal(cost[np.arange(len(path)), path], told)


def test_commands(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(name: str, *words: str) -> Any:
        assert main(["value", name, "--out-cache-dir", str(out), *words]) == 0
        return capsys.readouterr().out

    picture = tmp_path / "seg.png"
    said = run("check-clusters", "--plot-key", "single", "--plot-segment", "3",
               "--out-png", str(picture))  # fmt: skip
    assert "recommended: --dbscan-eps" in said and picture.is_file()
    summary = json.loads(run("check-diffusion"))
    assert len(summary["heatmap_pngs"]) == 2 and Path(summary["confusion_png"]).is_file()
    said = run("centers-2d", "--fit-on", "mean_success_rollout")
    assert Path(said.partition("wrote: ")[2].strip()).is_file()
