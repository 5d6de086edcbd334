"""Stored episodes: keys, dtypes, bytes, damage, names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.episode import (
    EpisodeValues,
    Recording,
    read_values,
    write_progress_values,
    write_segment_values,
)
from robovalue_ros.data.value_store.naming import value_names
from robovalue_ros.data.value_store.npz import read_members

COMMON = {
    "distance": "f4", "value_pred": "f4", "trim_start": "i4", "trim_end": "i4", "t_total": "i4",
    "task": "U", "source": "U", "is_success": "i4", "camera_mode": "U", "camera_fusion": "U",
    "minmax_skip_prefix_k": "i4", "enforce_monotonic": "i4",
}  # fmt: skip
PROGRESS = COMMON | {
    "timestep_stride": "i4", "distance_space": "U", "embed_cfg_id": "U", "centers_cfg_id": "U",
    "distance_high": "f4", "distance_wrist": "f4", "value_mapping": "U", "warp_enable": "i4",
    "warp_method": "U", "success_fit_step_ratio": "f4", "warp_cfg_id": "U", "norm_min": "f4",
    "norm_max": "f4", "norm_scope_used": "U", "reward_scale": "f4", "sigmoid_steepness": "f4",
    "sigmoid_offset": "f4", "set_success_terminal_reward": "i4", "success_terminal_reward": "f4",
    "failure_end_value": "f4",
}  # fmt: skip
NUMBERS = ("num_segments", "window_stride", "radius", "first_fixed")
DIFFUSION = (
    "pca_dim", "timesteps", "hidden_dim", "num_layers", "batch_size", "epochs", "seed", "t_eval",
    "noise_samples",
)  # fmt: skip
SEGMENT = COMMON | {
    "value_method": "U", "segment_centers_path": "U", "segment_centers_cfg_id": "U",
    **{f"segment_match_{name}": "i4" for name in NUMBERS},
    **{f"segment_match_{name}": "U" for name in ("score", "value_mode", "path")},
    **{f"segment_match_diffusion_{name}": "i4" for name in DIFFUSION},
    "segment_match_diffusion_lr": "f4", "segment_match_time_prior_success": "f4",
    "segment_match_back_penalty_success": "f4", "segment_match_failure_value_cap": "f4",
    "window_end_t_sparse": "i4", "match_seg_idx_sparse": "i4", "distance_sparse": "f4",
    "match_cost_sparse": "f4", "match_cost_eff_sparse": "f4", "value_end_sparse": "f4",
}  # fmt: skip
SPARSE = tuple(SEGMENT)[-6:]
METHODS = ("progress", "segment")


def write(path: Path, makers: Any, method: str, length: int = 9, **more: Any) -> Path:
    recording = Recording("teleop", 4, 3 + length)
    if method == "progress":
        write_progress_values(
            path, makers.progress(length), recording, makers.progress_config, embed_cfg_id="e",
            centers_cfg_id="c", warp_cfg_id="w", **more,
        )  # fmt: skip
    else:
        write_segment_values(
            path, makers.segment(length), recording, makers.segment_config,
            segment_centers_path="/x/segment_centers.npz", segment_centers_cfg_id="s", **more,
        )  # fmt: skip
    return path


def same(left: EpisodeValues, right: EpisodeValues) -> bool:
    def equal(a: Any, b: Any) -> bool:
        return set(a) == set(b) and all(np.array_equal(a[k], b[k]) for k in a)

    def known(meta: Any) -> dict[str, Any]:
        return {k: "NaN" if isinstance(v, float) and v != v else str(v) for k, v in meta.items()}

    return (
        np.array_equal(left.values, right.values)
        and np.array_equal(left.distances, right.distances)
        and known(left.meta) == known(right.meta)
        and equal(left.by_camera, right.by_camera)
        and equal(left.sparse, right.sparse)
        and dict(left.scoring_cfg or {}) == dict(right.scoring_cfg or {})
    )


@pytest.mark.parametrize(("method", "keys"), [("progress", PROGRESS), ("segment", SEGMENT)])
def test_numpy_finds_exactly_the_documented_keys(
    tmp_path: Path, makers: Any, method: str, keys: dict[str, str]
) -> None:
    with np.load(write(tmp_path / "a.hdf5.npz", makers, method), allow_pickle=False) as stored:
        found = {
            name: "U" if stored[name].dtype.kind == "U" else stored[name].dtype.str[1:]
            for name in stored.files
        }
        shapes = {name: stored[name].shape for name in stored.files}
    assert found == keys
    arrays = {"distance", "value_pred", "distance_high", "distance_wrist"}
    for name, shape in shapes.items():
        assert shape == ((9,) if name in arrays else (3,) if name in SPARSE else ())


def test_one_camera_and_no_warp_leave_their_keys_out_or_empty(tmp_path: Path, makers: Any) -> None:
    from dataclasses import replace

    config = replace(makers.progress_config, camera_mode="high", warp_enable=False)
    path = tmp_path / "a.npz"
    write_progress_values(
        path, makers.progress(both=False), Recording("teleop", 0, 8), config, embed_cfg_id="e",
        centers_cfg_id="c", warp_cfg_id="w",
    )  # fmt: skip
    assert set(np.load(path).files) == set(PROGRESS) - {"distance_high", "distance_wrist"}
    values = read_values(path)
    assert values.meta["warp_cfg_id"] == "" and values.by_camera == {}


@settings(deadline=None)
@given(
    method=st.sampled_from(METHODS),
    length=st.integers(3, 60),
    cfg=st.none() | st.dictionaries(st.text(max_size=9), st.floats(allow_nan=False) | st.text(
        st.characters(exclude_categories=("Cs",)), max_size=9) | st.none() | st.booleans()),
)  # fmt: skip
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, makers: Any, method: str, length: int, cfg: Any
) -> None:
    path = tmp_path_factory.mktemp("store") / "episode_1.hdf5.npz"
    found = read_values(write(path, makers, method, length, scoring_cfg=cfg))
    curve = makers.progress(length) if method == "progress" else makers.segment(length)
    assert np.array_equal(found.values, curve.value)
    assert np.array_equal(found.distances, curve.distance)
    assert not found.values.flags.writeable
    assert found.meta["task"] == curve.task and found.meta["t_total"] == length
    assert (found.meta["trim_start"], found.meta["trim_end"]) == (4, 3 + length)
    if method == "segment":
        for name in SPARSE:
            assert np.array_equal(found.sparse[name], getattr(curve, name))
    else:
        assert np.array_equal(found.by_camera["wrist"], curve.by_camera["wrist"])
    assert found.scoring_cfg is None if cfg is None else dict(found.scoring_cfg or {}) == cfg


@pytest.mark.parametrize("method", METHODS)
def test_the_same_values_give_the_same_bytes(tmp_path: Path, makers: Any, method: str) -> None:
    one = write(tmp_path / "1.npz", makers, method).read_bytes()
    assert write(tmp_path / "2.npz", makers, method).read_bytes() == one
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["1.npz", "2.npz"]


@pytest.mark.parametrize("method", METHODS)
def test_files_of_today_are_read(tmp_path: Path, makers: Any, method: str) -> None:
    ours = write(tmp_path / "ours.npz", makers, method)
    arrays = dict(np.load(ours).items())
    np.savez_compressed(tmp_path / "theirs.npz", **arrays)
    assert same(read_values(ours), read_values(tmp_path / "theirs.npz"))
    arrays.pop("value_pred")
    np.savez_compressed(tmp_path / "half.npz", **arrays)
    with pytest.raises(DataError, match="did not finish"):
        read_values(tmp_path / "half.npz")


@pytest.mark.parametrize("method", METHODS)
def test_damage_is_an_error_that_names_the_file(tmp_path: Path, makers: Any, method: str) -> None:
    path = write(tmp_path / "episode_9.hdf5.npz", makers, method)
    whole, before = path.read_bytes(), read_values(path)
    rng = np.random.default_rng(7)
    harmless = 0
    for case in range(200):
        content = bytearray(whole)
        if case % 3 == 0:
            content = content[: rng.integers(0, len(content))]
        elif case % 3 == 1:
            for place in rng.integers(0, len(content), rng.integers(1, 6)):
                content[place] ^= int(rng.integers(1, 256))
        else:
            content[int(rng.integers(0, len(content)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content if case else b"")
        try:
            after = read_values(path)
        except DataError as problem:
            assert str(path) in str(problem)
        else:  # a changed bit that no value depends on, such as one of a member's date
            assert same(before, after)
            harmless += 1
    assert harmless < 100


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"distance": np.zeros(3, np.float32)}, "distance has 3 frames"),
        ({"value_pred": np.full(9, np.nan, np.float32)}, "value_pred holds NaN"),
        ({"task": np.int32(1)}, "task is a int32"),
        ({"is_success": np.array([1, 2])}, "is_success is a int64"),
        ({"distance_sparse": np.zeros(1, np.float32)}, "differ in length"),
        ({"value_method": "other"}, "value_method 'other'"),
        ({"segment_match_diffusion_lr": np.float32("inf")}, "lr is inf"),
        ({"scoring_cfg": "{", "scoring_cfg_id": "x"}, "not JSON"),
        ({"scoring_cfg": "{}", "scoring_cfg_id": "x"}, "scoring_cfg_id"),
    ],
)
def test_content_that_does_not_fit_is_refused(
    tmp_path: Path, makers: Any, change: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "a.npz", makers, "segment")
    write_arrays(path, dict(read_members(path).arrays) | change)
    with pytest.raises(DataError, match=reason):
        read_values(path)


def test_absent_and_pickled_files_are_refused(tmp_path: Path, makers: Any) -> None:
    with pytest.raises(DataError, match="absent"):
        read_values(tmp_path / "none.npz")
    np.savez(tmp_path / "p.npz", distance=np.array({"a": 1}, object))
    with pytest.raises(DataError, match="pickled"):
        read_values(tmp_path / "p.npz")
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "q.npz", {"a": np.array({}, object)})
    assert not (tmp_path / "q.npz").exists()


def test_a_curve_that_does_not_fit_its_recording_is_not_written(
    tmp_path: Path, makers: Any
) -> None:
    with pytest.raises(ContractError, match="8 frames"):
        write_segment_values(
            tmp_path / "a.npz", makers.segment(9), Recording("teleop", 0, 7),
            makers.segment_config, segment_centers_path="", segment_centers_cfg_id="",
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_equal_file_names_get_files_of_their_own() -> None:
    name = "episode_1.hdf5"
    recordings = [
        ("rollouts_failure", Path("/f") / name), ("rollouts_success", Path("/s") / name),
        ("teleop", Path("/t") / "episode_2.hdf5"), ("rollouts_success", Path("/z") / name),
    ]  # fmt: skip
    names = value_names(recordings)
    assert names[:3] == (f"{name}.npz", f"rollouts_success/{name}.npz", "episode_2.hdf5.npz")
    assert names[3].startswith(f"rollouts_success/{name}__") and len(set(names)) == 4
    taken = {found: path for found, (_, path) in zip(names, recordings, strict=True)}
    assert value_names(recordings[::-1], taken) == names[::-1]
    assert value_names(recordings[1:2]) == (f"{name}.npz",)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["teleop", "x"]), st.sampled_from("ab"), st.sampled_from("12"))
    ),
    st.integers(0, 9),
)
def test_names_are_unique_and_stay(parts: list[tuple[str, str, str]], first: int) -> None:
    recordings = [(source, Path("/", folder, f"{n}.hdf5")) for source, folder, n in parts]
    names = value_names(recordings)
    assert len(set(names)) == len({path for _, path in recordings})
    early = value_names(recordings[:first])
    taken = {n: path for n, (_, path) in zip(early, recordings[:first], strict=True)}
    assert value_names(recordings, taken)[:first] == early == names[:first]


@pytest.mark.parametrize("source", ["", ".", "..", "a/b", "/a"])
def test_a_source_cannot_lead_out_of_the_folder(source: str) -> None:
    with pytest.raises(ContractError, match="plain name"):
        value_names([(source, Path("/a/b.hdf5"))])
