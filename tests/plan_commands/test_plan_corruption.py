"""Verify accepts what build wrote, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_sets import NAME, Places

from robovalue_ros.contracts.errors import DataError, RobovalueError
from robovalue_ros.data.plain_npz import packed_arrays
from robovalue_ros.data.plan_files.folder import StoredPlan, read_plan, write_plan
from robovalue_ros.data.plan_files.places import PlanNotFound
from robovalue_ros.pipelines.plans.build import build
from robovalue_ros.pipelines.plans.config import PlanBuildConfig, PlanVerifyConfig
from robovalue_ros.pipelines.plans.verify import verify
from robovalue_ros.plans.document import (
    ARRAYS,
    CREATED,
    HASH,
    PASSING,
    canonical_json,
    plan_sha256,
)
from robovalue_ros.plans.errors import PlanError
from robovalue_ros.wiring import open_reader

VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.lists(st.integers(), max_size=3) | st.dictionaries(st.text(max_size=3), st.integers())
)  # fmt: skip


@pytest.fixture(scope="module")
def built(places: Places, tmp_path_factory: pytest.TempPathFactory) -> StoredPlan:
    """A plan of ten episodes with events."""
    out = tmp_path_factory.mktemp("whole") / "plan"
    config = PlanBuildConfig(
        repo_id=str(places.v30), num_episodes_keep=10, gripper_event_enabled=True, out_dir=out
    )
    return build(config, open_reader).stored


@pytest.fixture(scope="module")
def copy(built: StoredPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(built.places.meta.parent, tmp_path_factory.mktemp("copy") / "plan")


def check(path: Path) -> None:
    verify(PlanVerifyConfig(plan_path=path), open_reader)


def leaves(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value of a document, also to those that hold others."""
    if path:
        yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()  # fmt: skip
    for key, value in items:
        yield from leaves(value, (*path, key))


def changed(content: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    """Return a copy in which `change(container, key)` was made at the end of a way."""
    found = json.loads(json.dumps(content))
    place = found
    for key in path[:-1]:
        place = place[key]
    change(place, path[-1])
    return found


def spoil(data: st.DataObject, meta: dict[str, Any]) -> dict[str, Any] | None:
    """Return the document with one value replaced or missing; None where nothing has changed."""
    path = data.draw(st.sampled_from(sorted(leaves(meta), key=str)))
    if data.draw(st.booleans(), label="replace"):
        value = data.draw(VALUES)
        found = changed(meta, path, lambda place, key: place.__setitem__(key, value))
    else:
        found = changed(meta, path, lambda place, key: place.__delitem__(key))
    result: dict[str, Any] = found
    return None if canonical_json(found) == canonical_json(meta) else result


def written(folder: Path, meta: dict[str, Any]) -> Path:
    text = json.dumps(meta, ensure_ascii=True)
    (folder / "plan_meta.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _whole_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if {"built", "copy"} <= set(request.fixturenames):
        built = request.getfixturevalue("built")
        shutil.copytree(
            built.places.meta.parent, request.getfixturevalue("copy"), dirs_exist_ok=True
        )


def test_what_build_wrote_is_accepted_however_it_is_named(built: StoredPlan) -> None:
    for path in (built.places.meta.parent, built.places.meta, built.places.arrays):
        check(path)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_value_of_the_document_can_be_another(
    built: StoredPlan, copy: Path, data: st.DataObject
) -> None:
    meta = spoil(data, dict(built.meta))
    if meta is not None:
        with pytest.raises(RobovalueError):
            check(written(copy, meta))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nor_where_somebody_makes_the_hash_of_the_file_anew(
    built: StoredPlan, copy: Path, data: st.DataObject
) -> None:
    meta = spoil(data, {k: v for k, v in built.meta.items() if k not in PASSING})
    if meta is None:
        return
    content = built.meta["content_sha256"]
    meta |= {name: built.meta[name] for name in (CREATED, "dataset_fingerprint")}
    meta["content_sha256"] = content
    meta[HASH] = plan_sha256(meta, built.places.arrays.read_bytes())
    with pytest.raises(RobovalueError):
        check(written(copy, meta))


@given(
    st.sampled_from(sorted(ARRAYS)), st.integers(0, 10_000), st.integers(-3, 3).filter(bool),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_no_entry_of_an_array_can_be_another(
    built: StoredPlan, copy: Path, name: str, at: int, by: int, sealed: bool
) -> None:
    arrays = {key: np.array(values) for key, values in built.arrays.items()}
    place = at % len(arrays[name])
    arrays[name][place] += by if arrays[name].dtype.kind == "i" else by * 0.25
    content = packed_arrays(arrays)
    (copy / "plan_arrays.npz").write_bytes(content)
    meta = dict(built.meta)
    if sealed:
        meta[HASH] = plan_sha256(meta, content)
    with pytest.raises(RobovalueError):
        check(written(copy, meta))


@given(st.integers(0, 1 << 20), st.integers(1, 255), st.booleans())
@settings(max_examples=150, deadline=None)
def test_damaged_arrays_are_told_and_never_misread(
    built: StoredPlan, copy: Path, at: int, flip: int, cut: bool
) -> None:
    content = bytearray(built.places.arrays.read_bytes())
    at %= len(content)
    if cut:
        del content[at:]
    else:
        content[at] ^= flip
    (copy / "plan_arrays.npz").write_bytes(content)
    with pytest.raises(PlanError, match=r"^Plan sha256 mismatch: expected="):
        check(copy)
    # Without the hash, a checksum inside the archive tells; a byte of its labels may mean nothing.
    try:
        found = read_plan(copy, verify_sha256=False)
    except (DataError, PlanError):
        return
    for name, values in built.arrays.items():
        assert np.array_equal(found.arrays[name], values)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_a_document_that_is_none_is_told(copy: Path, built: StoredPlan, content: bytes) -> None:
    (copy / "plan_meta.json").write_bytes(content)
    with pytest.raises(RobovalueError):
        check(copy)


def test_the_words_of_what_is_missing(built: StoredPlan, copy: Path, tmp_path: Path) -> None:
    def told(path: Path) -> str:
        with pytest.raises(RobovalueError) as caught:
            read_plan(path)
        return str(caught.value)

    assert told(tmp_path / "nowhere") == f"Unsupported plan path: {tmp_path / 'nowhere'}"
    assert told(tmp_path) == f"Plan meta not found: {tmp_path / 'plan_meta.json'}"
    with pytest.raises(FileNotFoundError):
        read_plan(tmp_path)
    (copy / "plan_arrays.npz").unlink()
    assert told(copy) == f"Plan arrays not found: {copy / 'plan_arrays.npz'}"
    assert issubclass(PlanNotFound, RobovalueError)
    meta = dict(built.meta)
    (copy / "plan_arrays.npz").write_bytes(b"other bytes")
    computed = plan_sha256(meta, b"other bytes")
    assert told(copy) == f"Plan sha256 mismatch: expected={meta[HASH]}, computed={computed}"
    del meta[HASH]
    path = written(copy, meta) / "plan_meta.json"
    assert told(copy) == f"Plan meta missing plan_sha256: {path}"


def test_arrays_that_lack_one_or_are_of_objects(built: StoredPlan, copy: Path) -> None:
    arrays = {key: value for key, value in built.arrays.items() if key != "weights"}
    (copy / "plan_arrays.npz").write_bytes(packed_arrays(arrays))
    with pytest.raises(DataError, match="lacks weights"):
        read_plan(copy, verify_sha256=False)
    np.savez(copy / "plan_arrays.npz", **arrays, weights=np.array([{"a": 1}] * 3, object))
    with pytest.raises(DataError, match="not plain numbers"):
        read_plan(copy, verify_sha256=False)


def test_a_plan_without_our_hash_is_verified_by_the_rules_of_older_tools(
    built: StoredPlan, copy: Path
) -> None:
    ours = ("content_sha256", "data_sha256", "compat", "gripper_noise_ratio", "sample_weighting")
    meta = {key: value for key, value in built.meta.items() if key not in ours}
    meta[HASH] = plan_sha256(meta, (copy / "plan_arrays.npz").read_bytes())
    found = verify(PlanVerifyConfig(plan_path=written(copy, meta)), open_reader)
    assert any("older tool" in finding.found for finding in found.findings)
    del meta["gripper_event"], meta["summary"]
    meta[HASH] = plan_sha256(meta, (copy / "plan_arrays.npz").read_bytes())
    with pytest.raises(PlanError, match=r"^Missing meta fields: \['gripper_event', 'summary'\]$"):
        check(written(copy, meta))


def test_plans_written_over_each_other_leave_a_whole_one(built: StoredPlan, tmp_path: Path) -> None:
    for second in (1, 2):
        write_plan(tmp_path / "plan", built.plan, f"2026-01-31T12:00:0{second}")
        check(tmp_path / "plan")
    assert sorted(path.name for path in (tmp_path / "plan").iterdir()) == [
        "plan_arrays.npz", "plan_meta.json"
    ]  # fmt: skip


def test_a_plan_is_compared_with_its_data(built: StoredPlan, places: Places) -> None:
    path = built.places.meta.parent
    for root in (places.v30, places.v21, places.hdf5):
        found = verify(PlanVerifyConfig(plan_path=path, repo_id=str(root)), open_reader)
        assert any(finding.level == "ok" for finding in found.findings)
    assert NAME in str(places.v30)
