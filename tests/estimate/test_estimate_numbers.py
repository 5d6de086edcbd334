"""The numbers of a run on stored embeddings are those of the methods, and those people have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from estimate_files import (
    CLIP,
    SIDE,
    SPECS,
    WIDTH,
    Spec,
    World,
    arrays,
    blacken,
    estimate,
    make_world,
    vectors_of,
    write_recording,
)

from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.data.embedding_cache.legacy import Entries, Trim, write_legacy
from robovalue_ros.data.embedding_cache.legacy_names import Recording as NamedFile
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.run import estimate as run_estimate
from robovalue_ros.value.config import ProgressConfig, SegmentConfig
from robovalue_ros.value.episodes import EmbeddedEpisode, KeyedEmbeddings
from robovalue_ros.value.progress_method import fit_progress, score_progress
from robovalue_ros.value.segment_method import fit_segments, score_segments
from robovalue_ros.wiring import make_encoders, open_reader

VECTORS = Path(__file__).parents[1] / "vectors" / "data" / "value.json"
TINY = {
    "diffusion_epochs": 3, "diffusion_hidden_dim": 8, "diffusion_timesteps": 10,
    "diffusion_num_layers": 1, "diffusion_t_eval": 4, "diffusion_pca_dim": 6,
}  # fmt: skip


def embedded(name: str, spec: Spec, series: str) -> EmbeddedEpisode:
    """Return what the cache of the world holds of a recording."""
    folder, file = name.rsplit("/", 1)
    source = {"demos": "teleop", "rollouts/success": "rollouts_success/success"}.get(
        folder, "rollouts_failure/failure"
    )
    parts = vectors_of(Path(file), spec.length)[series]
    cameras = {
        role: KeyedEmbeddings(e.times.astype(np.int64), e.vectors) for role, e in parts.items()
    }
    success = not folder.endswith("failure")
    return EmbeddedEpisode(f"{source}/{file}", "lift it", spec.length, success, cameras)


def flags(options: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words


PROGRESS_RUNS: Sequence[dict[str, Any]] = (
    {}, {"camera_mode": "wrist", "timestep_stride": 6, "enforce_monotonic": True},
    {"camera_mode": "both", "timestep_stride": 5, "minmax_skip_prefix_k": 4},
    {"camera_mode": "both", "camera_fusion": "dist_mean", "warp_enable": False},
    {"camera_mode": "both", "camera_fusion": "emb_mean", "value_mapping": "sigmoid"},
    {"camera_mode": "both", "camera_fusion": "emb_concat", "value_mapping": "sigmoid",
     "norm_scope": "all_scored", "set_success_terminal_reward": True,
     "success_terminal_reward": 0.9},
    {"warp_method": "isotonic_left_edge", "failure_end_value": 0.7, "dbscan_eps": 12.0,
     "success_fit_step_ratio": 0.05},
)  # fmt: skip
SEGMENT_RUNS: Sequence[dict[str, Any]] = (
    {}, {"camera_mode": "both", "segment_match_path": "greedy", "segment_match_radius": 3},
    {"camera_mode": "both", "camera_fusion": "dist_mean", "segment_match_score": "gaussian_nll"},
    {"camera_mode": "both", "camera_fusion": "emb_concat", "segment_match_value_mode": "hard",
     "segment_match_first_fixed": False, "segment_match_failure_value_cap": 0.5},
    {"camera_mode": "wrist", "segment_match_time_prior_success": 0.0,
     "segment_match_back_penalty_success": 5.0, "dbscan_eps": 9.0, "enforce_monotonic": True},
    {"camera_mode": "both", "segment_match_score": "diffusion",
     **{f"segment_match_{name}": value for name, value in TINY.items()}},
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(PROGRESS_RUNS)))
def test_progress_of_a_run_is_that_of_the_method(number: int, world: World, tmp_path: Path) -> None:
    options = PROGRESS_RUNS[number]
    out = tmp_path / "out"
    assert estimate(world.words(out, "--compat", "reference", *flags(options))) == 0
    config = ProgressConfig(**options, compat="reference")
    episodes = {name: embedded(name, spec, "prefix") for name, spec in SPECS.items()}
    model = fit_progress([e for n, e in episodes.items() if n.startswith("demos")], config)
    wanted = [e for n, e in sorted(episodes.items()) if n.startswith("rollouts")]
    for curve in score_progress(model, wanted):
        held = arrays(out / "episode_values" / f"{Path(curve.episode_id).name}.npz")
        np.testing.assert_array_equal(held["value_pred"], curve.value)
        np.testing.assert_array_equal(held["distance"], curve.distance)
        for role, row in curve.by_camera.items():
            np.testing.assert_array_equal(held[f"distance_{role}"], row)
        for name, value in (("norm_min", curve.sigmoid.low), ("norm_max", curve.sigmoid.high)):
            np.testing.assert_array_equal(held[name], np.float32(value))
        assert str(held["norm_scope_used"]) == curve.sigmoid.scope


@pytest.mark.parametrize("number", range(len(SEGMENT_RUNS)))
def test_segments_of_a_run_are_those_of_the_method(
    number: int, world: World, tmp_path: Path
) -> None:
    options = SEGMENT_RUNS[number]
    out = tmp_path / "out"
    words = ("--value-method", "segment_match50", "--compat", "reference", *flags(options))
    assert estimate(world.words(out, *words)) == 0
    config = SegmentConfig(**options, compat="reference")
    references = [embedded(n, s, "seg50") for n, s in SPECS.items() if n.startswith("demos")]
    model = fit_segments(references, config)
    wanted = [embedded(n, s, "win50s6") for n, s in SPECS.items() if n.startswith("rollouts")]
    for curve in score_segments(model, wanted):
        held = arrays(out / "episode_values" / f"{Path(curve.episode_id).name}.npz")
        np.testing.assert_array_equal(held["value_pred"], curve.value)
        np.testing.assert_array_equal(held["distance"], curve.distance)
        for name in (name for name in held if name.endswith("_sparse")):
            np.testing.assert_array_equal(held[name], getattr(curve, name), err_msg=name)


def cases() -> list[dict[str, Any]]:
    """Return the stored whole runs that zeros behind their short vectors do not change."""
    found = json.loads(VECTORS.read_text("utf-8"))["end_to_end"]
    return [
        case for case in found if case["input"]["args"].get("segment_match_score") != "gaussian_nll"
    ]


def series_of(case: Mapping[str, Any], reference: bool) -> str:
    if case["call"] == "run_progress":
        return "prefix"
    defaults = SegmentConfig()
    args = case["input"]["args"]
    count = args.get("segment_match_num_segments", defaults.segment_match_num_segments)
    stride = args.get("segment_match_window_stride", defaults.segment_match_window_stride)
    return f"seg{count}" if reference else f"win{count}s{stride}"


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["name"]))
def test_stored_runs_come_out_of_files(
    case: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    world = World(tmp_path / "world", checkpoint)

    def store(name: str, spec: Mapping[str, Any], reference: bool) -> None:
        task = spec.get("task", "task")
        path = write_recording(world.root / name, Spec(spec["T"], task=task))
        series = {
            role: Entries(
                np.array([key for key, _ in spec[role]], np.int32),
                np.array([[*x, *([0.0] * (WIDTH - len(x)))] for _, x in spec[role]], np.float32),
            )
            for role in ("high", "wrist") if spec.get(role)
        }  # fmt: skip
        trim = Trim(1, spec["T"], spec["T"])
        kept = {series_of(case, reference): series}
        write_legacy(world.cache, world.encoder, NamedFile.of(path), trim, kept)

    for number, spec in enumerate(case["input"]["success"]):
        store(f"demos/episode_{number}.hdf5", spec, True)
    files = []
    for number, spec in enumerate(case["input"]["episodes"]):
        folder = "success" if spec["is_success"] else "failure"
        files.append(f"episode_{100 + number}.hdf5")
        store(f"rollouts/{folder}/{files[-1]}", spec, False)
    method = "progress_warp" if case["call"] == "run_progress" else "segment_match50"
    words = ["--value-method", method, "--compat", "reference", *flags(case["input"]["args"])]
    if method == "progress_warp" and not case["input"].get("sklearn"):
        words += ["--warp-method", "isotonic_left_edge"]
    out = tmp_path / "out"
    assert estimate(world.words(out, *words)) == 0
    for file, wanted in zip(files, case["expected"]["episodes"], strict=True):
        held = arrays(out / "episode_values" / f"{file}.npz")
        for name, value in wanted.items():
            if name in held and held[name].dtype.kind in "if":
                expected = np.array(value, np.float64)
                np.testing.assert_allclose(
                    held[name], expected, atol=case["atol"], rtol=case["rtol"], err_msg=name
                )


def test_a_full_cache_needs_neither_network_nor_frames(checkpoint: Path, tmp_path: Path) -> None:
    """Frames that could not even be decoded do not matter, and the weights stay on the disk."""
    made: list[FrameEncoder] = []
    own = make_world(tmp_path / "world", checkpoint, encoded=True)

    def watched(*asked: Any) -> Mapping[str, FrameEncoder]:
        found = make_encoders(*asked)
        made.extend(found.values())
        return found

    config = EstimateConfig(
        own.demos, own.rollouts, out_cache_dir=tmp_path / "out",
        embed_cache_dir=own.cache, vjepa_ckpt=own.checkpoint, vjepa_img_size=SIDE,
        vjepa_num_frames=CLIP, report=False,
    )  # fmt: skip
    for path in own.files():
        blacken(path)
    result = run_estimate(config, partial(open_reader, options=config.read), watched)
    assert result.counts == {"written": 4} and result.embedded == (0, 0)
    assert made and all("_forwards" not in vars(encoder) for encoder in made)


def test_missing_entries_alone_are_computed(own_world: World, tmp_path: Path) -> None:
    """An old cache made with every sixth prefix serves a run with every third."""
    config = EstimateConfig(
        own_world.demos, own_world.rollouts, out_cache_dir=tmp_path / "out",
        embed_cache_dir=own_world.cache, vjepa_ckpt=own_world.checkpoint, vjepa_img_size=SIDE,
        vjepa_num_frames=CLIP, report=False, timestep_stride=1,
    )  # fmt: skip
    file = own_world.rollouts / "success" / "episode_4.hdf5"
    folder = own_world.encoder.folder(own_world.cache)
    (folder / NamedFile.of(file).file_name()).unlink()
    kept = {
        name: {role: Entries(e.times[::6], e.vectors[::6]) for role, e in roles.items()}
        for name, roles in vectors_of(file, 42).items()
    }
    write_legacy(own_world.cache, own_world.encoder, NamedFile.of(file), Trim(1, 42, 42), kept)
    result = run_estimate(config, partial(open_reader, options=config.read), make_encoders)
    assert result.embedded == (42 - len(range(0, 42, 6)), 0)
    again = run_estimate(config, partial(open_reader, options=config.read), make_encoders)
    assert again.embedded == (0, 0) and again.counts == {"reused": 4}
