"""Segments as labels of substeps, beside a data set that is never touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tool_files import cut_video, opener

from robovalue_ros.cli.main import main
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.fakes import fake_episode
from robovalue_ros.contracts.tools import WriteOptions
from robovalue_ros.data.staging import StagedDataset
from robovalue_ros.pipelines.segment.labels import export_labels
from robovalue_ros.pipelines.segment.labels_config import LabelsConfig
from robovalue_ros.segment.substep_labels import TextBlock, labelled_episode
from robovalue_ros.wiring import make_writer

TASK = "put the red cube in the box"
STEPS = ("pick up the red cube", "put it in the box")
PLAN = [{"instruction": {"raw": TASK.title(), "plan": [{"step": 1, "subgoal": s} for s in STEPS]}}]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LeRobotDataset of three episodes with 20, 24 and 28 frames at 20 Hz."""
    root = tmp_path_factory.mktemp("lerobot") / "set"
    writer = make_writer(WriteOptions(format="lerobot"))
    with StagedDataset(root, "test") as staged:
        records = [
            staged.commit(
                writer.write(
                    staged.root, n, fake_episode(f"episode_{n:06d}", 20 + 4 * n, task=TASK),
                    lambda _: None,
                )
            )
            for n in range(3)
        ]  # fmt: skip
        writer.assemble(staged.root, records, lambda _: None)
        staged.publish({"format": "lerobot", "version": 1})
    return root


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def cut_all(root: Path) -> Path:
    """Cut every episode at frame 10, with a rest of two frames."""
    for n in range(3):
        cut_video(root, f"episode_{n:06d}", [(0.1, 0.45), (0.55, 0.9)])
    return root


def test_labels_and_subtasks_lie_beside_an_untouched_data_set(
    dataset: Path, tmp_path: Path
) -> None:
    before = digests(dataset)
    plans = tmp_path / "plans.json"
    plans.write_text(json.dumps(PLAN))
    config = LabelsConfig(cut_all(tmp_path / "seg"), dataset, tmp_path / "labels", plans)
    result = export_labels(config, opener)
    assert digests(dataset) == before
    assert (result.episodes, result.texts, result.findings) == (3, STEPS, ())
    labels = json.loads((tmp_path / "labels" / "substep_labels_output.json").read_text())
    episode = labels["set"]["put_the_red_cube_in_the_box"]["episode_1"]
    assert (episode["total_timesteps"], episode["labeled_timesteps"]) == (24, 24)
    ends = [one["timestep"] for one in episode["timestep_labels"] if one["is_substep_end"]]
    assert ends == [9, 23] == episode["summary"]["substep_boundaries"]
    assert episode["timestep_labels"][10] == {
        "timestep": 10, "action": "place", "APD_step": STEPS[1], "cycle": 0, "is_substep_end": False,
    }  # fmt: skip
    table = pq.read_table(tmp_path / "labels" / "meta" / "subtasks.parquet")
    assert table.to_pydict() == {"subtask_index": [0, 1], "subtask": list(STEPS)}
    assert json.loads(table.schema.metadata[b"pandas"])["index_columns"] == ["subtask"]
    rows = pq.read_table(tmp_path / "labels" / "robovalue_subtasks.parquet").to_pydict()
    assert rows["index"] == list(range(72))
    assert rows["subtask_index"] == [
        int(frame >= 10) for length in (20, 24, 28) for frame in range(length)
    ]
    assert np.flatnonzero(rows["is_substep_end"]).tolist() == [9, 19, 29, 43, 53, 71]


def test_rests_may_stay_without_a_label(dataset: Path, tmp_path: Path) -> None:
    config = LabelsConfig(
        cut_all(tmp_path / "seg"), dataset, tmp_path / "labels", rests="kept", suite="mine"
    )
    export_labels(config, opener)
    rows = pq.read_table(tmp_path / "labels" / "robovalue_subtasks.parquet").to_pydict()
    assert rows["subtask_index"][:20] == [-1] * 2 + [0] * 7 + [-1] * 2 + [1] * 7 + [-1] * 2
    labels = json.loads((tmp_path / "labels" / "substep_labels_output.json").read_text())
    (task,) = labels["mine"].values()
    assert task["episode_0"]["summary"]["unlabeled_timesteps"] == 6
    assert task["episode_0"]["timestep_labels"][0]["APD_step"] == "segment_0"


def test_episodes_that_do_not_fit_are_left_out_and_told(dataset: Path, tmp_path: Path) -> None:
    root = cut_all(tmp_path / "seg")
    cut_video(root, "episode_000001", [(0.1, 0.3), (0.4, 0.6), (0.7, 1.1)])
    cut_video(root, "stranger", [(0.1, 0.3)])
    config = LabelsConfig(root, dataset, tmp_path / "labels", texts=STEPS, partial=True)
    result = export_labels(config, opener)
    assert result.episodes == 2
    told = {finding.subject: finding.found for finding in result.findings}
    assert "3 segments for 2 texts" in told["episode_000001"] and "stranger" in told["videos"]
    with pytest.raises(DataError, match="have no values"):
        export_labels(LabelsConfig(root, dataset, tmp_path / "whole", texts=STEPS), opener)
    spread = LabelsConfig(root, dataset, tmp_path / "spread", texts=STEPS, uneven="spread")
    assert export_labels(spread, opener).episodes == 3


def test_the_command_refuses_to_write_into_the_data_set(dataset: Path, tmp_path: Path) -> None:
    root = cut_all(tmp_path / "seg")
    with pytest.raises(ConfigError, match="inside the data set"):
        export_labels(LabelsConfig(root, dataset, dataset / "labels"), opener)
    words = [str(root), "--dataset", str(dataset), "--out", str(tmp_path / "l")]
    assert main(["segment", "export-labels", *words, "--texts", *STEPS]) == 0
    assert main(["segment", "export-labels", *words, "--plans", str(tmp_path / "no.json")]) == 2
    cut_video(root, "episode_000000", [(0.0, 0.5), (9.0, 9.5)])
    result = export_labels(LabelsConfig(root, dataset, tmp_path / "m", partial=True), opener)
    assert "reaches to frame 180" in result.findings[0].found


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_every_timestep_of_a_block_has_one_label(lengths: list[int], data: st.DataObject) -> None:
    texts = [data.draw(st.sampled_from(["Pick up A", "place A", "go home"])) for _ in lengths]
    stops = np.cumsum(lengths).tolist()
    blocks = [
        TextBlock(stop - length, stop, text)
        for stop, length, text in zip(stops, lengths, texts, strict=True)
    ]
    entry = labelled_episode("task", stops[-1] + 3, blocks)
    labels = entry["timestep_labels"]
    assert [one["timestep"] for one in labels] == list(range(stops[-1]))
    assert sum(one["is_substep_end"] for one in labels) == len(blocks)
    assert entry["summary"]["unlabeled_timesteps"] == 3
    for kind in ("pick", "place", "move"):
        numbers = [
            one["cycle"] for one in labels if one["action"] == kind and one["is_substep_end"]
        ]
        assert numbers == list(range(len(numbers)))


def test_blocks_that_overlap_are_refused() -> None:
    with pytest.raises(ContractError, match="blocks"):
        labelled_episode("task", 10, [TextBlock(0, 5, "a"), TextBlock(4, 8, "b")])
