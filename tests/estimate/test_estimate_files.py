"""The files of a run: their names, keys, dtypes and shapes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from estimate_files import (
    METADATA,
    WIDTH,
    Spec,
    World,
    arrays,
    estimate,
    rows,
    scored,
    write_recording,
)

COMMON = {
    "distance": "f4T", "value_pred": "f4T", "trim_start": "i4", "trim_end": "i4", "t_total": "i4",
    "task": "U", "source": "U", "is_success": "i4", "camera_mode": "U", "camera_fusion": "U",
    "minmax_skip_prefix_k": "i4", "enforce_monotonic": "i4",
}  # fmt: skip
PROGRESS = COMMON | {
    "timestep_stride": "i4", "distance_space": "U", "embed_cfg_id": "U", "centers_cfg_id": "U",
    "distance_high": "f4T", "distance_wrist": "f4T", "value_mapping": "U", "warp_enable": "i4",
    "warp_method": "U", "success_fit_step_ratio": "f4", "warp_cfg_id": "U", "norm_min": "f4",
    "norm_max": "f4", "norm_scope_used": "U", "reward_scale": "f4", "sigmoid_steepness": "f4",
    "sigmoid_offset": "f4", "set_success_terminal_reward": "i4", "success_terminal_reward": "f4",
    "failure_end_value": "f4",
}  # fmt: skip
SEGMENT = COMMON | {
    "value_method": "U", "segment_centers_path": "U", "segment_centers_cfg_id": "U",
    **{f"segment_match_{name}": "i4" for name in (
        "num_segments", "window_stride", "radius", "first_fixed", "diffusion_pca_dim",
        "diffusion_timesteps", "diffusion_hidden_dim", "diffusion_num_layers",
        "diffusion_batch_size", "diffusion_epochs", "diffusion_seed", "diffusion_t_eval",
        "diffusion_noise_samples",
    )},
    **{f"segment_match_{name}": "U" for name in ("score", "value_mode", "path")},
    **{f"segment_match_{name}": "f4" for name in (
        "diffusion_lr", "time_prior_success", "back_penalty_success", "failure_value_cap",
    )},
    "window_end_t_sparse": "i4K", "match_seg_idx_sparse": "i4K", "distance_sparse": "f4K",
    "match_cost_sparse": "f4K", "match_cost_eff_sparse": "f4K", "value_end_sparse": "f4K",
}  # fmt: skip
SHARED_METADATA = (
    "created_at teleop_hdf5_dir rollouts_hdf5_dir dataset_hdf5_dir intervention_hdf5_dir "
    "out_cache_dir success_mode shortest_p score_sources camera_mode camera_fusion epsilon "
    "max_episode_len device enable_fp16 embed_batch_size embed_cache_root embed_cache_dir "
    "embed_cache_cfg_id embed_cache_cfg dbscan_eps dbscan_min_samples minmax_skip_prefix_k "
    "enforce_monotonic value_method trim_signal dbscan_pca_dim"
)
PROGRESS_METADATA = (
    "vjepa_ckpt vjepa_img_size vjepa_num_frames distance_space cluster_centers_schema_version "
    "cluster_centers_embed_cfg_id cluster_centers_path cluster_centers_cfg_id cluster_centers_cfg "
    "l2_normalize_groups timestep_stride norm_scope value_mapping failure_end_value warp_enable "
    "warp_method warp_path warp_cfg_id warp_cfg warp_info success_fit_step_ratio reward_scale "
    "sigmoid_steepness sigmoid_offset norm_eps set_success_terminal_reward success_terminal_reward "
    "hdf5_to_vjepa_value_map num_scoring_episodes num_success_ref_episodes norm_stats"
)
SEGMENT_METADATA = (
    "segment_centers_path segment_centers_cfg_id segment_centers_cfg written reused skipped errors "
    "diffusion_cfg_id num_scoring_episodes num_success_ref_episodes "
    + " ".join(name for name in SEGMENT if name.startswith("segment_match_"))
)


def check_episode(path: Path, wanted: dict[str, str], length: int) -> None:
    held = arrays(path)
    assert set(held) == {*wanted, "scoring_cfg", "scoring_cfg_id"}
    count = len(held["window_end_t_sparse"]) if "window_end_t_sparse" in held else 0
    for name, kind in wanted.items():
        array = held[name]
        shape = {"T": (length,), "K": (count,)}.get(kind[-1], ())
        assert array.shape == shape, name
        expected = kind[:2] if kind[0] in "if" else "U"
        assert array.dtype.kind == "U" if expected == "U" else array.dtype == expected, name


def test_files_of_progress_warp(progress_out: Path, world: World) -> None:
    assert {path.name for path in progress_out.iterdir()} == {
        "cluster_centers.npz", "cluster_centers_report.json", "warp_f.npz", "episode_values",
        "hdf5_to_vjepa_value_map.jsonl", "vjepa_value_metadata.json", "estimate_vjepa_value.log",
        "estimate.json",
    }  # fmt: skip
    values = progress_out / "episode_values"
    lengths = {4: 42, 5: 34, 6: 52, 7: 30}
    assert {p.name for p in values.iterdir()} == {f"episode_{n}.hdf5.npz" for n in lengths}
    for number, length in lengths.items():
        check_episode(values / f"episode_{number}.hdf5.npz", PROGRESS, length)
    trimmed = arrays(values / "episode_5.hdf5.npz")
    assert (trimmed["trim_start"], trimmed["trim_end"], trimmed["t_total"]) == (3, 36, 34)
    assert str(trimmed["source"]) == "rollouts_success" and trimmed["is_success"] == 1
    assert np.isnan(trimmed["norm_min"]) and str(trimmed["norm_scope_used"]) == "not_used_linear"

    centers = arrays(progress_out / "cluster_centers.npz")
    assert {"schema_version", "embed_cfg_id", "centers_cfg_id", "centers_cfg", "success_ref_sig",
            "success_ref_ids"} <= set(centers)  # fmt: skip
    assert centers["centers/lift it/high"].shape[1] == WIDTH
    assert len(centers["success_ref_ids"]) == 4
    warp = arrays(progress_out / "warp_f.npz")
    assert {"schema_version", "warp_cfg_id", "warp_cfg", "x_breaks", "y_breaks", "info",
            "used_success_episodes", "skipped_success_episodes"} == set(warp)  # fmt: skip
    assert (warp["used_success_episodes"], warp["skipped_success_episodes"]) == (4, 0)
    report = json.loads((progress_out / "cluster_centers_report.json").read_text("utf-8"))
    assert set(report) == {
        "created_at", "value_method", "cluster_centers_path", "centers_cfg_id", "embed_cfg_id",
        "success_ref_sig", "success_ref_count", "camera_mode", "camera_fusion", "trim_signal",
        "epsilon", "dbscan_eps", "dbscan_min_samples", "dbscan_pca_dim", "tasks", "summary",
    }  # fmt: skip
    assert set(report["tasks"]["lift it"]) == {"high", "wrist"}
    assert set(report["summary"]) == {"groups_total", "groups_fallback_mean", "groups_all_noise"}


def test_files_of_segment_match(segment_out: Path) -> None:
    assert {path.name for path in segment_out.iterdir()} == {
        "segment_centers.npz", "segment_centers_report.json", "episode_values", "estimate.json",
        "hdf5_to_vjepa_value_map.jsonl", "vjepa_value_metadata.json", "estimate_vjepa_value.log",
    }  # fmt: skip
    for number, length in {4: 42, 5: 34, 6: 52, 7: 30}.items():
        check_episode(segment_out / f"episode_values/episode_{number}.hdf5.npz", SEGMENT, length)
    centers = arrays(segment_out / "segment_centers.npz")
    assert {"schema_version", "embed_cfg_id", "segment_centers_cfg_id", "segment_centers_cfg",
            "success_ref_sig", "success_ref_ids"} <= set(centers)  # fmt: skip
    assert centers["centers/lift it/wrist/49"].shape[1] == WIDTH
    report = json.loads((segment_out / "segment_centers_report.json").read_text("utf-8"))
    assert report["num_segments"] == 50
    segments = report["tasks"]["lift it"]["high"]["segments"]
    assert [entry["seg_idx"] for entry in segments] == list(range(50))
    assert set(report["summary"]) == {
        "segments_total", "segments_fallback_mean", "segments_all_noise"
    }  # fmt: skip


@pytest.mark.parametrize("method", ["progress", "segment"])
def test_metadata_and_formatting(
    method: str, progress_out: Path, segment_out: Path, world: World
) -> None:
    out = progress_out if method == "progress" else segment_out
    text = (out / METADATA).read_text("utf-8")
    told = json.loads(text)
    wanted = PROGRESS_METADATA if method == "progress" else SEGMENT_METADATA
    assert {*SHARED_METADATA.split(), *wanted.split()} <= set(told)
    assert text == json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", told["created_at"])
    assert told["vjepa_num_frames"] == 4 if method == "progress" else told["written"] == 4
    assert (told["num_scoring_episodes"], told["num_success_ref_episodes"]) == (4, 4)
    assert told["embed_cache_root"] == str(world.cache)
    for line in (out / "estimate_vjepa_value.log").read_text("utf-8").splitlines():
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO|WARNING|ERROR) ", line)


def test_log_tells_of_the_fallback_and_the_scale(progress_out: Path) -> None:
    log = (progress_out / "estimate_vjepa_value.log").read_text("utf-8")
    assert "dbscan-eps 0.5" in log and "apart" in log


def test_rows_and_every_status(own_world: World, tmp_path: Path) -> None:
    failure = own_world.rollouts / "failure"
    write_recording(failure / "episode_8.hdf5", Spec(70, 9))
    write_recording(failure / "episode_9.hdf5", Spec(0, 9, before=9))
    (failure / "episode_a.hdf5").write_bytes(b"not HDF5 at all")
    out = tmp_path / "out"
    assert estimate(own_world.words(out, "--max-episode-len", "60")) == 0
    assert estimate(own_world.words(out, "--max-episode-len", "60")) == 0
    found = rows(out)
    assert {row["stage"] for row in found} == {"distance"}
    first, second = found[:7], found[7:]
    assert [row["hdf5"] for row in second if row["status"] in ("error", "skipped")] == [
        str((failure / f"episode_{n}.hdf5").resolve()) for n in "89a"
    ]
    for part, status in ((first, "written"), (second, "reused")):
        by_name = {Path(row["hdf5"]).stem[8:]: row for row in part}
        assert {by_name[n]["status"] for n in "4567"} == {status}
        assert by_name["4"]["out_npz"] == str(out / "episode_values/episode_4.hdf5.npz")
        assert by_name["8"] | {"hdf5": ""} == {
            "hdf5": "", "stage": "distance", "status": "skipped", "reason": "too_long",
            "t_total": 70,
        }  # fmt: skip
        assert by_name["9"]["reason"] == "trim_none"
        assert by_name["a"]["status"] == "error" and "episode_a.hdf5" in by_name["a"]["error"]
    told = json.loads((out / METADATA).read_text("utf-8"))
    assert [told[n] for n in ("written", "reused", "skipped", "errors")] == [0, 4, 2, 1]
    assert scored(out)["failure/episode_7"] == "reused"


def test_stages_of_references(own_world: World, tmp_path: Path) -> None:
    (own_world.demos / "episode_9.hdf5").write_bytes(b"")
    write_recording(own_world.rollouts / "success" / "episode_9.hdf5", Spec(0, 9, before=9))
    (own_world.rollouts / "success" / "episode_z.hdf5").write_bytes(b"")
    for number, (words, stage) in enumerate({
        (): "success_ref", ("--value-method", "segment_match50"): "seg_success_ref",
        ("--success-mode", "rollouts_shortest_p"): "scan_success_len",
    }.items()):  # fmt: skip
        out = tmp_path / str(number)
        assert estimate(own_world.words(out, *words)) == 0
        errors = [row for row in rows(out) if row["stage"] == stage]
        assert [row["status"] for row in errors] == ["error"], stage


def test_nothing_to_score_is_an_error_of_the_user(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    (empty / "failure").mkdir(parents=True)
    words = world.words(tmp_path / "out")
    words[words.index("--rollouts-hdf5-dir") + 1] = str(empty)
    assert estimate(words) == 2
    assert "--score-sources rollouts finds no episode" in capsys.readouterr().err


def test_the_page_is_made_when_there_is_something_new(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [word for word in world.words(out) if word != "--no-report"]
    assert estimate([*words, "--report-limit", "1"]) == 0
    page = out / "report.html"
    assert f"report: {page}" in capsys.readouterr().out
    text = page.read_text("utf-8")
    assert "episode_4" in text and "progress_warp" in text
    before = page.stat().st_mtime_ns
    assert estimate(words) == 0
    assert page.stat().st_mtime_ns == before
    assert estimate([*words, "--minmax-skip-prefix-k", "2", "--report-limit", "1"]) == 0
    assert page.stat().st_mtime_ns > before
    # Actions may have come since, so a page with them is always made.
    found = tmp_path / "cut" / "episode_4" / "segmented_videos" / "episode_4_segments.json"
    found.parent.mkdir(parents=True)
    action = {"start_sec": 0.1, "end_sec": 0.4, "label": "segment_0"}
    found.write_text(json.dumps({"video": "episode_4", "segments": [action], "fps": 10.0}), "utf-8")
    assert "segment 0" not in text and "action 0" not in text
    again = [*words, "--minmax-skip-prefix-k", "2", "--report-segments", str(tmp_path / "cut")]
    assert estimate(again) == 0
    assert "action 0" in page.read_text("utf-8")


def test_a_run_without_any_value_has_no_page(own_world: World, tmp_path: Path) -> None:
    words = [word for word in own_world.words(tmp_path / "out") if word != "--no-report"]
    assert estimate([*words, "--max-episode-len", "45", "--task", "x"]) == 0
    assert estimate([*words[:4], *words[6:], "--out-cache-dir", str(tmp_path / "no"),
                     "--high-camera", "none"]) == 2  # fmt: skip
    assert not (tmp_path / "no" / "report.html").exists()
