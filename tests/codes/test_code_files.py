"""Reading folders of code files: layouts, damage, and where the clips are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from code_data import code_file, make_folder, write_clip, write_side_car
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.data.code_files import clip_of, read_code_folder, read_codes
from robovalue_ros.data.code_vectors import CodeVectors, read_code_vectors, write_code_vectors

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        {"codes_windows": [[1, 2], [3]]},
        {"codes_windows": [], "codes_flat": [1, 2, 3], "codes_2d": [[9]]},
        {"code_sequences_flat": [1, 2, 3]},
        {"codes_windows": None, "codes_2d": [[1, 2, 3]]},
        {"code_sequences": [[[1], [2]], [[3]]]},
    ],
)
def test_every_layout_gives_the_same_codes(tmp_path: Path, content: dict[str, object]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_codes(path).codes.tolist() == [1, 2, 3]


def test_the_first_folder_is_the_class_and_other_json_is_only_counted(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "r", each=2)
    write_side_car(root / "alone.json", [1])
    (root / "pick" / "video_a_segments.json").write_text('{"segments": []}', encoding="utf-8")
    (root / "pick" / ".tmp-1.json").write_text("{", encoding="utf-8")
    found = read_code_folder(root, labelled=True)
    assert [s.label for s in found.sequences] == ["alone.json", *["pick"] * 2, *["pour"] * 2, *["wipe"] * 2]  # fmt: skip
    assert found.names == tuple(sorted(found.names)) and found.without == 1
    assert found.findings == () and found.sequences[1].codebook_size == 8
    assert {s.label for s in read_code_folder(root, labelled=False).sequences} == {None}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"codes_windows": [[1, 2', "cannot be read"),
        ("", "cannot be read"),
        ('{"codes_windows": [[1, -2]]}', "holds -2"),
        ('{"codes_windows": [[1, true]]}', "holds True"),
        ('{"codes_windows": [[1, 2.5]]}', "holds 2.5"),
        ('{"codes_windows": 7}', "is a int"),
        ('{"codes_flat": [1], "meta": {"codebook_size": "big"}}', "codebook_size is 'big'"),
        ('{"codes_flat": [1], "quantized_windows": [[[1, 2], [3]]]}', "no table of numbers"),
        ('{"codes_flat": [1], "latent_matrix": [[NaN]]}', "shape (1, 1)"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_damaged_file_is_named_and_passed_over(tmp_path: Path, text: str, part: str) -> None:
    root = make_folder(tmp_path / "r", each=1)
    (root / "pick" / "bad.json").write_text(text, encoding="utf-8")
    found = read_code_folder(root, labelled=True, vectors=True)
    (finding,) = found.findings
    assert finding.subject == "pick/bad.json" and part in finding.found
    assert len(found.sequences) == 3


@given(JSON)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "x.json"
    for content in (value, {"codes_windows": value}, {"codes_flat": [1], "meta": value}):
        path.write_text(json.dumps(content), encoding="utf-8")
        try:
            found = read_codes(path, vectors=True)
        except DataError as problem:
            assert str(path) in str(problem)
        else:
            assert found is None or len(found.codes) > 0


def test_vectors_of_tokens_come_in_two_layouts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    windows = np.arange(24.0).reshape(2, 3, 4)
    write_side_car(path, [1], quantized_windows=windows.tolist())
    assert np.array_equal(read_codes(path, vectors=True).vectors, windows.reshape(6, 4))
    write_side_car(path, [1], latent_matrix=[[1, 2]], quantized_windows=windows.tolist())
    assert read_codes(path, vectors=True).vectors.tolist() == [[1, 2]]
    assert read_codes(path).vectors is None
    write_side_car(path, [1], meta={"codebook_levels": [8, 6, 5]})
    assert read_codes(path).codebook_size == 240


def test_a_clip_is_found_where_it_is_said_or_beside_the_codes(tmp_path: Path) -> None:
    path = code_file(tmp_path, "pick", 0)
    name = path.relative_to(tmp_path).as_posix()
    stem = path.name.removesuffix(".codes.json")
    write_side_car(path, [1], video_segment_path="/gone/elsewhere.mp4")
    assert clip_of(tmp_path, name) is None
    beside = path.parent.parent / "segmented_videos" / f"{stem}.mp4"
    write_clip(beside, (1, 2, 3))
    assert clip_of(tmp_path, name) == beside
    moved = tmp_path / "other.mp4"
    write_clip(moved, (1, 2, 3))
    write_side_car(path, [1], video_segment_path=str(moved))
    assert clip_of(tmp_path, name) == moved
    path.write_text("{", encoding="utf-8")
    assert clip_of(tmp_path, name) == beside
    assert clip_of(tmp_path, "x" * 5000 + "/y.json") is None


def test_a_folder_without_codes_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="no JSON file with codes among 1"):
        read_code_folder(tmp_path, labelled=True)
    with pytest.raises(DataError, match="no folder"):
        read_code_folder(tmp_path / "a.json", labelled=True)


def test_vectors_come_back_as_they_were_and_damage_is_told(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    given_ = CodeVectors(rows, ("a.json", "b/ü.json", "c"), tmp_path)
    write_code_vectors(tmp_path, given_, {"max_len": 3})
    found = read_code_vectors(tmp_path)
    assert np.array_equal(found.vectors, rows) and found.names == given_.names
    assert found.root == tmp_path
    (tmp_path / "embed.json").unlink()
    assert read_code_vectors(tmp_path).root is None
    (tmp_path / "paths.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(DataError, match="has 1 lines"):
        read_code_vectors(tmp_path)
    (tmp_path / "embed.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"embed\.npy"):
        read_code_vectors(tmp_path)
