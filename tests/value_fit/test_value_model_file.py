"""The file of a value model: the same bytes, the same model, and never a damaged one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.npz import read_members
from robovalue_ros.data.value_store.value_model import read_value_model, write_value_model
from robovalue_ros.value.stream.live import stream_samples

ABOUT = {"task": "bring the red thing", "seed": 3, "demonstrations": [{"id": "a", "frames": 9}]}


@pytest.fixture(scope="module")
def model_bytes(quick_model, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("model") / "m.npz"
    write_value_model(path, quick_model, ABOUT)
    return path.read_bytes()


def test_a_model_comes_back_whole(tmp_path: Path, quick_model, toy_frames) -> None:
    path = tmp_path / "deep" / "model.npz"
    write_value_model(path, quick_model, ABOUT)
    again = read_value_model(path)
    assert again.model.id == quick_model.id and dict(again.about) == ABOUT
    assert stream_samples(again.model, toy_frames) == stream_samples(quick_model, toy_frames)
    write_value_model(tmp_path / "two.npz", again.model, again.about)
    assert path.read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(path, allow_pickle=False) as plain:
        assert str(plain["value_model_id"]) == quick_model.id


def test_what_is_no_json_is_refused(tmp_path: Path, quick_model) -> None:
    for about in ({"x": Path("a")}, {"x": float("nan")}):
        with pytest.raises(ContractError, match="about"):
            write_value_model(tmp_path / "m.npz", quick_model, about)
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(DataError, match=r"x\.npz: is absent"):
        read_value_model(path)
    path.write_text("no archive")
    with pytest.raises(DataError, match=r"x\.npz: is damaged"):
        read_value_model(path)
    np.savez(path, value=np.zeros(3))
    with pytest.raises(DataError, match="is no value model"):
        read_value_model(path)


def test_another_version_and_changed_content_are_refused(tmp_path: Path, quick_model) -> None:
    path = tmp_path / "m.npz"
    write_value_model(path, quick_model, ABOUT)
    arrays = dict(read_members(path).arrays)
    write_arrays(path, {**arrays, "value_model_schema": 7})
    with pytest.raises(DataError, match="version 7"):
        read_value_model(path)
    name = next(key for key in arrays if key.endswith("head.out"))
    changed = arrays[name].copy()
    changed[0, 0] += 1
    write_arrays(path, {**arrays, name: changed})
    with pytest.raises(DataError, match="as it was written"):
        read_value_model(path)
    write_arrays(path, {key: value for key, value in arrays.items() if key != name})
    with pytest.raises(DataError, match=r"head\.out"):
        read_value_model(path)


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, model_bytes, data) -> None:
    content = bytearray(model_bytes)
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    try:
        stored = read_value_model(path)
    except DataError as problem:
        assert "m.npz" in str(problem)
    else:  # a bit that carries no content, such as a time stamp
        assert dict(stored.about) == ABOUT
