"""Where data sets are found, what is read of them, and what names their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lerobot_checks import episode, write
from plan_sets import NAME, Places, Shell, demonstrations

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.fakes import FakeReader
from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.lerobot.homes import find_data_set, lerobot_home
from robovalue_ros.data.rows_digest import RowsDigest
from robovalue_ros.pipelines.plans.rows import read_rows

ROOT = Path(__file__).parents[2]


def empty_set(root: Path) -> Path:
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "info.json").write_text("{}")
    return root


@pytest.mark.parametrize(
    ("variables", "below"),
    [
        ({"HF_LEROBOT_HOME": "a", "LEROBOT_HOME": "b"}, "a"), ({"LEROBOT_HOME": "b"}, "b"),
        ({"HF_HOME": "c", "XDG_CACHE_HOME": "d"}, "c/lerobot"),
        ({"XDG_CACHE_HOME": "d"}, "d/huggingface/lerobot"),
    ],
)  # fmt: skip
def test_a_name_is_looked_for_where_lerobot_keeps_data(
    tmp_path: Path, variables: dict[str, str], below: str
) -> None:
    told = {name: str(tmp_path / place) for name, place in variables.items()}
    root = empty_set(tmp_path / below / "somebody" / "cups")
    assert find_data_set("somebody/cups", told) == root
    assert lerobot_home(told) == tmp_path / below
    with pytest.raises(DataError, match="no such data set"):
        find_data_set("somebody/plates", told)
    assert lerobot_home({}) == Path.home() / ".cache/huggingface/lerobot"


def test_the_hubs_cache_is_looked_at_too(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "datasets--somebody--cups"
    for name in ("aaa", "bbb"):
        empty_set(cache / "snapshots" / name)
    told = {"HF_LEROBOT_HOME": str(tmp_path)}
    assert find_data_set("somebody/cups", told).name == "bbb"
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("aaa\n")
    assert find_data_set("somebody/cups", told).name == "aaa"


def test_a_path_counts_more_than_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cups").mkdir()
    empty_set(tmp_path / "home" / "cups")
    told = {"HF_LEROBOT_HOME": str(tmp_path / "home")}
    assert find_data_set("cups", told) == Path("cups")
    for name in ("", "../cups/../x", "/nowhere/cups"):
        with pytest.raises(DataError):
            find_data_set(name, told)


def test_pictures_are_never_looked_at(shell: Shell) -> None:
    episodes = [episode(f"e{k}", 30, seed=k, cameras=("cam",), size=(16, 16)) for k in range(2)]
    root = shell.folder / "seen"
    root.mkdir()
    write(root, episodes, "lossy")
    videos = list(root.rglob("*.mp4"))
    assert videos
    for path in videos:
        path.unlink()
    shell.run("robovalue plan build --repo-id seen --num-episodes-keep 2 --action-horizon 5 "
              "--batch-size 4 --gripper-event-enabled --gripper-dims 6")  # fmt: skip


def test_shipped_settings_are_the_usual_ones(shell: Shell) -> None:
    settings_file = ROOT / "config" / "plan_build.yaml"
    shell.run(f"robovalue plan build --config {settings_file} --repo-id {NAME} --out-dir a")
    shell.run(f"robovalue plan build --repo-id {NAME} --out-dir b")
    assert "training sees the same of both" in shell.run("robovalue plan compare a b")


def test_a_plan_is_told_without_its_data(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run(f"robovalue plan build --repo-id {NAME} --num-episodes-keep 5 --out-dir plan")
    monkeypatch.setenv("HF_LEROBOT_HOME", "/nowhere")
    said = shell.run("robovalue plan inspect --plan-path plan --out plan.png")
    assert "Name it with --repo-id" in said and Path("plan.png").stat().st_size > 10_000
    assert "no such data set" in shell.fails(
        f"robovalue plan inspect --plan-path plan --out plan.png --repo-id {NAME}"
    )


def test_a_damaged_episode_is_left_out_and_keeps_its_number(places: Places) -> None:
    class Damaged(FakeReader):
        def open(self, episode_id: str) -> Episode:
            if episode_id == "episode_000001":
                raise DataError(episode_id, "is damaged")
            return super().open(episode_id)

    episodes = demonstrations(3)
    rows = read_rows(places.hdf5, lambda _: Damaged({one.id: one for one in episodes}))
    assert np.unique(rows.table.episode).tolist() == [0, 2]
    assert len(rows.table) == len(episodes[0]) + len(episodes[2])
    assert [finding.subject for finding in rows.findings][:1] == ["episode_000001"]


def test_episodes_of_other_widths_are_told(places: Places) -> None:
    given = {f"e{k}": episode(f"e{k}", 5, cameras=(), widths=(3 + k, 2)) for k in range(2)}
    with pytest.raises(DataError, match="e1"):
        read_rows(places.hdf5, lambda _: FakeReader(given))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20), st.integers(0, 20), st.data())
@settings(deadline=None)
def test_a_hash_names_numbers_and_not_how_they_come(
    values: list[int], cut: int, data: st.DataObject
) -> None:
    given_values = np.array(values, np.float32)

    def hashed(*parts: np.ndarray, name: str = "x") -> str:
        digest = RowsDigest()
        for part in parts:
            digest.add(name, part)
        return digest.hexdigest()

    whole = hashed(given_values)
    assert whole == hashed(given_values[:cut], given_values[cut:])
    assert whole == hashed(given_values.astype(">f4"))
    assert whole != hashed(given_values, name="y")
    assert whole != hashed(given_values.astype(np.float64))
    at = data.draw(st.integers(0, len(values) - 1))
    other = given_values.copy()
    other[at] += 1
    assert whole != hashed(other)
    with pytest.raises(ContractError):
        hashed(given_values, given_values.astype(np.float64))


def test_a_document_is_one_line_of_sorted_json(shell: Shell) -> None:
    shell.run(f"robovalue plan build --repo-id {NAME} --num-episodes-keep 5 --out-dir plan")
    text = Path("plan/plan_meta.json").read_text(encoding="utf-8")
    meta = json.loads(text)
    assert text == json.dumps(meta, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert list(np.load("plan/plan_arrays.npz")) == ["anchor_indices", "stage_ids", "weights"]


def test_building_says_what_no_window_begins_in(shell: Shell) -> None:
    words = f"plan build --repo-id {NAME} --num-episodes-keep 10 --out-dir plan"
    told = shell.run(f"robovalue {words}")
    assert "no window begins in the last 49 frames" in told and "--valid-start-tail-keep 49" in told
    assert "no window" not in shell.run(f"robovalue {words}_whole --valid-start-tail-keep 49")
