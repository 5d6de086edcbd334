"""Stages and weights from values that were scored, and from actions that were found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_sets import NAME, Places, Shell, demonstrations

from robovalue_ros.contracts.types import Episode
from robovalue_ros.data.plan_files.folder import read_plan
from robovalue_ros.data.value_store.causal import FLAGS, CausalValues, write_causal
from robovalue_ros.data.value_store.rows import ROWS_FILE, Row, RowLog

EPISODES = demonstrations()
BUILD = f"robovalue plan build --repo-id {NAME} --num-episodes-keep 50 --out-dir plan"


def rising(count: int) -> np.ndarray:
    """Return a value that rests for half of the time, and then gains everything."""
    frames = np.arange(count)
    return np.clip((frames - 0.5 * count) / (0.4 * count), 0.0, 1.0)


def scored(out: Path, data: Path, episodes: Sequence[Episode]) -> Path:
    """Write what an estimate leaves of episodes of a LeRobot data set."""
    with RowLog(out / ROWS_FILE) as log:
        for one in episodes:
            off = np.zeros(len(one), np.bool_)
            found = CausalValues(
                rising(len(one)), one.stamps_ns, **dict.fromkeys(FLAGS, off), task=one.task,
                source="rollouts", success=True, model_id="toy", content="c",
            )  # fmt: skip
            file = out / "causal_values" / f"{one.id}.npz"
            write_causal(file, found)
            where = {"out_npz": str(file), "data": str(data), "episode": one.id}
            log.append(Row(str(data / one.id), "causal", "written", where))
    return out


def cut(out: Path, episodes: Sequence[Episode], camera: str = "") -> Path:
    """Write lists of three actions each, as cutting does."""
    for one in episodes:
        seconds = len(one) / 20.0
        edges = np.linspace(0, seconds, 4)
        listed = [
            {"start_sec": a, "end_sec": b}
            for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        ]
        name = f"{one.id}{camera}"
        path = out / name / "segmented_videos" / f"{name}_segments.json"
        path.parent.mkdir(parents=True)
        content = {"video": name, "fps": 20.0, "video_duration_sec": seconds, "segments": listed}
        path.write_text(json.dumps(content))
    return out


def stages_by_frame(path: Path = Path("plan")) -> dict[int, list[tuple[int, int]]]:
    """Return (frame, stage) of the anchors of each episode."""
    plan = read_plan(path).plan
    firsts = np.cumsum([0, *(len(one) for one in EPISODES)])
    found: dict[int, list[tuple[int, int]]] = {}
    for row, stage in zip(plan.anchors.tolist(), plan.stages.tolist(), strict=True):
        number = int(np.searchsorted(firsts, row, side="right")) - 1
        found.setdefault(number, []).append((row - int(firsts[number]), stage))
    return found


def test_stages_of_a_value_curve(shell: Shell, places: Places) -> None:
    values = scored(shell.folder / "values", places.v30.resolve(), EPISODES)
    shell.run(f"{BUILD} --stage-strategy value --num-stages-K 2 --values {values} "
              "--action-horizon 20")  # fmt: skip
    for number, anchors in stages_by_frame().items():
        count = len(EPISODES[number])
        starts = count - 20 + 1
        value = rising(count)[:starts]
        half = value[0] + (value[-1] - value[0]) / 2
        assert [stage for _, stage in anchors] == [
            int(value[frame] >= half) for frame, _ in anchors
        ]


@pytest.mark.parametrize("kind", ["value", "advantage"])
def test_weights_by_what_a_window_gains(shell: Shell, places: Places, kind: str) -> None:
    values = scored(shell.folder / "values", places.v30.resolve(), EPISODES)
    shell.run(f"{BUILD} --sample-weighting {kind} --values {values} --action-horizon 20 "
              "--num-stages-K 1")  # fmt: skip
    stored = read_plan(Path("plan"))
    early = [w for w, (_, frame, count) in weighted(stored.plan) if frame + 20 < 0.4 * count]
    late = [w for w, (_, frame, count) in weighted(stored.plan) if frame > 0.55 * count]
    assert early and late and max(early) < min(late)
    assert stored.meta["sample_weighting"]["type"] == kind


def weighted(plan: Any) -> list[tuple[float, tuple[int, int, int]]]:
    firsts = np.cumsum([0, *(len(one) for one in EPISODES)])
    found = []
    for row, weight in zip(plan.anchors.tolist(), plan.weights.tolist(), strict=True):
        number = int(np.searchsorted(firsts, row, side="right")) - 1
        found.append((weight, (number, row - int(firsts[number]), len(EPISODES[number]))))
    return found


def test_an_episode_without_a_curve_is_named(shell: Shell, places: Places) -> None:
    values = scored(shell.folder / "values", places.v30.resolve(), EPISODES[:-1])
    said = shell.fails(f"{BUILD} --stage-strategy value --values {values}")
    assert "none in episode 49" in said


@pytest.mark.parametrize("camera", ["", "_cam_high"])
def test_stages_of_found_actions(shell: Shell, camera: str) -> None:
    folder = cut(shell.folder / "segments", EPISODES, camera)
    shell.run(f"{BUILD} --stage-strategy segments --num-stages-K 3 --segments {folder} "
              "--action-horizon 5")  # fmt: skip
    for number, anchors in stages_by_frame().items():
        count = len(EPISODES[number])
        begins = [round(count / 3), round(2 * count / 3)]
        for frame, stage in anchors:
            if min(abs(frame - begin) for begin in begins) > 1:
                assert stage == sum(begin <= frame for begin in begins)


def test_stages_of_labels(shell: Shell) -> None:
    entries = {}
    for number, one in enumerate(EPISODES):
        middle = len(one) // 2
        entries[f"episode_{number}"] = {
            "timestep_labels": [
                {"timestep": t, "is_substep_end": t in (middle - 1, len(one) - 1)}
                for t in range(len(one))
            ]
        }
    Path("labels").mkdir()
    Path("labels/substep_labels_output.json").write_text(json.dumps({NAME: {"task": entries}}))
    shell.run(f"{BUILD} --stage-strategy segments --num-stages-K 4 --segments labels "
              "--action-horizon 5")  # fmt: skip
    for number, anchors in stages_by_frame().items():
        middle = len(EPISODES[number]) // 2
        assert [stage for _, stage in anchors] == [int(frame >= middle) for frame, _ in anchors]


def test_lists_of_other_episodes_are_told(shell: Shell) -> None:
    folder = cut(shell.folder / "segments", EPISODES[:1])
    said = shell.run(f"{BUILD} --stage-strategy segments --segments {folder}")
    assert "49 episodes have no actions" in said
    (folder / "episode_000000").rename(folder / "x")
    path = folder / "x/segmented_videos/episode_000000_segments.json"
    path.rename(path.with_name("other_segments.json"))
    said = shell.fails(f"{BUILD} --stage-strategy segments --segments {folder}")
    assert "no list of actions belongs to an episode" in said
