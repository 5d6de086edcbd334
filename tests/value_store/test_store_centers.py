"""Stored centres and warps: round trips, files of today's tools, hostile files."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store import centers
from robovalue_ros.data.value_store.inert_pickle import PickleRefused, plain_data
from robovalue_ros.data.value_store.migrate import migrate_pickled_centers
from robovalue_ros.data.value_store.npz import read_members
from robovalue_ros.data.value_store.warp import StoredWarp, read_warp, write_warp
from robovalue_ros.value.reference import Group
from robovalue_ros.value.warp import fit_warp


def same(left: Group, right: Group) -> bool:
    return (
        np.array_equal(left.centres_CD, right.centres_CD)
        and np.array_equal(left.scaler.mean, right.scaler.mean)
        and np.array_equal(left.scaler.std, right.scaler.std)
        and np.array_equal(left.likelihood_std, right.likelihood_std)
        and left.scaler.l2 == right.scaler.l2
        and left.info == right.info
    )


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_round_trips(tmp_path_factory: pytest.TempPathFactory, makers: Any, seed: int) -> None:
    folder = tmp_path_factory.mktemp("centers")
    path = folder / centers.CLUSTER_FILE
    centers.write_cluster_centers(path, makers.groups(seed), makers.about)
    found = centers.read_cluster_centers(path)
    assert found.about == makers.about
    for task, keys in makers.groups(seed).items():
        assert set(found.groups[task]) == set(keys)
        assert all(same(found.groups[task][key], group) for key, group in keys.items())
    path = folder / centers.SEGMENT_FILE
    centers.write_segment_centers(path, makers.segments(seed), makers.about)
    stored = centers.read_segment_centers(path)
    for task, segments in makers.segments(seed).items():
        for left, right in zip(stored.groups[task]["single"], segments["single"], strict=True):
            assert same(left, right)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_task_name_is_one_part_of_a_key(task: str) -> None:
    from urllib.parse import unquote

    assert "/" not in centers.quoted(task)
    assert unquote(centers.quoted(task)) == task


def test_keys_and_bytes(tmp_path: Path, makers: Any) -> None:
    one, two = tmp_path / "1.npz", tmp_path / "2.npz"
    centers.write_segment_centers(one, {"t": makers.segments().popitem()[1]}, makers.about)
    centers.write_segment_centers(two, {"t": makers.segments().popitem()[1]}, makers.about)
    assert one.read_bytes() == two.read_bytes()
    with np.load(one, allow_pickle=False) as stored:
        names = set(stored.files)
        assert stored["schema_version"] == 2 and stored["schema_version"].dtype == np.int32
        assert stored["centers/t/single/2"].dtype == np.float32
        assert stored["scaler/t/single/0/l2_normalize"].shape == ()
    assert names > {
        "embed_cfg_id", "segment_centers_cfg_id", "segment_centers_cfg", "success_ref_sig",
        "success_ref_ids", "info", "scaler/t/single/1/mean", "scaler/t/single/1/std",
    }  # fmt: skip
    centers.write_cluster_centers(one, makers.groups(), makers.about)
    with np.load(one, allow_pickle=False) as stored:
        assert stored["schema_version"] == 4
        assert "centers//single" in stored.files
        assert {"centers_cfg_id", "centers_cfg"} < set(stored.files)


@pytest.mark.parametrize("segmented", [False, True])
def test_pickled_files_are_refused_and_can_be_moved_over(
    old_centers: Any, makers: Any, segmented: bool
) -> None:
    name = centers.SEGMENT_FILE if segmented else centers.CLUSTER_FILE
    path, groups = old_centers(name, segmented)
    before = path.read_bytes()
    read: Any = centers.read_segment_centers if segmented else centers.read_cluster_centers
    with pytest.raises(DataError, match="migrate_pickled_centers") as caught:
        read(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ConfigError, match="trust=True"):
        migrate_pickled_centers(path)
    assert path.read_bytes() == before
    kept = migrate_pickled_centers(path, trust=True)
    assert kept.read_bytes() == before and kept.name.endswith(".pickled.npz")
    found = read(path)
    assert found.about.success_ref_ids == ("x",) and found.about.cfg == {"a": 1}
    for task, keys in groups.items():
        for key, group in keys.items():
            pairs = zip(found.groups[task][key], group, strict=True) if segmented else [
                (found.groups[task][key], group)]  # fmt: skip
            for left, right in pairs:
                assert np.array_equal(left.centres_CD, right.centres_CD)
                assert np.array_equal(left.likelihood_std, right.scaler.std)
                assert left.info.labels == right.info.labels and left.info.norms.cv == 0.25
    with pytest.raises(DataError, match="not a pickled"):
        migrate_pickled_centers(path, trust=True)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("protocol", range(6))
def test_a_bomb_does_not_go_off(
    tmp_path: Path, old_centers: Any, replace_member: Any, protocol: int
) -> None:
    path, _ = old_centers(centers.CLUSTER_FILE, False)
    target = tmp_path / "exploded"
    replace_member(path, "info", pickle.dumps({"t": {"k": Bomb(target)}}, protocol))
    with pytest.raises(DataError, match="info"):
        migrate_pickled_centers(path, trust=True)
    assert not target.exists()
    with pytest.raises(DataError, match="pickled"):
        centers.read_cluster_centers(path)
    assert not target.exists()


HOSTILE = [
    b"cos\nsystem\n(S'true'\ntR.",
    b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
    b"cnumpy\nndarray\n)R.",
    b"cnumpy\ndtype\n(X\x01\x00\x00\x00Ott.",
    b"\x80\x04]\x94h\x00a.",  # a list that holds itself
    b"\x80\x04r\xff\xff\xff\xff.",  # a memo of four thousand million places
    b"\x80\x04N\x81.",
    b"\x80\x04N",
    b"\x80\x04}K\x01b.",
    b"\x80\x04.",
    b"",
    b"\x80\x04e.",
    b"\x82\x01.",
    b"\x80\x04K\x01Q.",
    b"\x80\x04" + b"(" * 50 + b"t" * 50 + b".",
    # Ten lists of ten references to the list before: small to write, huge to unfold.
    b"\x80\x04]" + b"".join(b"\x94](" + b"h%c" % n * 10 + b"e" for n in range(10)) + b".",
]


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_pickles_are_refused(payload: bytes) -> None:
    with pytest.raises(PickleRefused):
        plain_data(payload)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 5))
def test_arbitrary_bytes_give_plain_data_or_a_refusal(content: bytes, protocol: int) -> None:
    with contextlib.suppress(PickleRefused):
        plain_data(b"\x80%c" % protocol + content + b".")


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    st.integers(2, 5),
)
def test_plain_values_come_back(value: Any, protocol: int) -> None:
    assert plain_data(pickle.dumps(value, protocol)) == value


@settings(deadline=None)
@given(
    st.sampled_from(["<f4", ">f4", "<f8", "<i4", "|b1"]),
    st.lists(st.integers(0, 4), max_size=3),
    st.sampled_from("CF"),
)
def test_pickled_arrays_come_back(dtype: str, shape: list[int], order: Any) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype, order=order)
    found = plain_data(pickle.dumps({"a": array, "s": np.float32(1.5)}, 4))
    assert np.array_equal(found["a"], array) and found["s"] == 1.5
    assert found["a"].shape == array.shape


@pytest.mark.parametrize("kind", ["cluster", "segment", "old", "warp"])
def test_damage_is_an_error_that_names_the_file(
    tmp_path: Path, makers: Any, old_centers: Any, kind: str
) -> None:
    path = tmp_path / "stored.npz"
    if kind == "cluster":
        centers.write_cluster_centers(path, makers.groups(), makers.about)
        read: Any = centers.read_cluster_centers
    elif kind == "segment":
        centers.write_segment_centers(path, makers.segments(), makers.about)
        read = centers.read_segment_centers
    elif kind == "warp":
        write_warp(path, stored_warp())
        read = read_warp
    else:
        path, _ = old_centers("stored.npz", False)

        def read(path: Path) -> Any:
            return migrate_pickled_centers(path, trust=True)

    whole = path.read_bytes()
    before = {name: array.tobytes() for name, array in read_members(path).arrays.items()}
    rng = np.random.default_rng(3)
    for case in range(200):
        content = bytearray(whole)
        if case % 2:
            content = content[: rng.integers(0, len(content))]
        else:
            for place in rng.integers(0, len(content), rng.integers(1, 9)):
                content[place] ^= int(rng.integers(1, 256))
        path.write_bytes(content if case else b"")
        try:
            read(path)
        except DataError as problem:
            assert str(path) in str(problem)
        else:
            if kind != "old":
                after = read_members(path).arrays
                assert all(after[name].tobytes() == raw for name, raw in before.items())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("centers/t/single", np.zeros((0, 4), np.float32)),
        ("centers/t/single", np.full((1, 4), np.nan, np.float32)),
        ("scaler/t/single/std", np.zeros(4, np.float32)),
        ("scaler/t/single/mean", np.zeros(3, np.float32)),
        ("schema_version", np.int32(3)),
        ("centers/t/other", np.zeros((1, 4), np.float32)),
        ("info", "[]"),
        ("info", '{"t": {"single": {}}}'),
        ("info", '{"t": {"single": 5}}'),
        ("info", '{"t": []}'),
        ("info", "{}"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    tmp_path: Path, makers: Any, name: str, value: Any
) -> None:
    path = tmp_path / "c.npz"
    centers.write_cluster_centers(path, {"t": {"single": makers.group()}}, makers.about)
    write_arrays(path, dict(read_members(path).arrays) | {name: value})
    with pytest.raises(DataError, match=r"c\.npz"):
        centers.read_cluster_centers(path)


def stored_warp(method: Any = "isotonic") -> StoredWarp:
    rng = np.random.default_rng(0)
    x = np.sort(rng.random(40))
    warp = fit_warp(x, x + rng.normal(0, 0.2, 40), method)
    return StoredWarp(warp, "id", {"failure_end_value": 0.5}, 5, 1)


@pytest.mark.parametrize("method", ["isotonic", "isotonic_left_edge"])
def test_a_warp_comes_back_from_ours_and_from_todays_file(tmp_path: Path, method: Any) -> None:
    stored, path = stored_warp(method), tmp_path / "warp_f.npz"
    write_warp(path, stored)
    once = path.read_bytes()
    write_warp(path, stored)
    assert path.read_bytes() == once
    arrays = dict(np.load(path, allow_pickle=False).items())
    assert {n: a.dtype.str[1:] for n, a in arrays.items() if a.dtype.kind != "U"} == {
        "schema_version": "i4", "x_breaks": "f4", "y_breaks": "f4",
        "used_success_episodes": "i4", "skipped_success_episodes": "i4",
    }  # fmt: skip
    old = tmp_path / "old.npz"
    info = {"method": stored.warp.method, "n": 40, "n_breaks": len(stored.warp.x)}
    old_parts: dict[str, Any] = {"schema_version": np.int32(1), "info": np.array(info, object)}
    np.savez_compressed(old, **(arrays | old_parts))
    for file in (path, old):
        found = read_warp(file)
        assert np.array_equal(found.warp.x, stored.warp.x)
        assert np.array_equal(found.warp.y, stored.warp.y)
        assert (found.warp.method, found.warp.n) == (stored.warp.method, stored.warp.n)
        assert found.cfg == stored.cfg and found.used_success_episodes == 5


def test_a_warp_that_is_no_curve_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "warp_f.npz"
    write_warp(path, stored_warp())
    falling = np.array([1, 0], np.float32)
    changes: list[dict[str, Any]] = [
        {"x_breaks": falling, "y_breaks": falling}, {"info": "{}"},
        {"schema_version": np.int32(9)}, {"x_breaks": falling[:1]},
    ]  # fmt: skip
    whole = dict(read_members(path).arrays)
    for change in changes:
        write_arrays(path, whole | change)
        with pytest.raises(DataError, match=r"warp_f\.npz"):
            read_warp(path)
