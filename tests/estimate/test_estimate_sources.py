"""Which recordings are scored, from which folders and formats, under which names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from estimate_files import (
    METADATA,
    Spec,
    World,
    arrays,
    estimate,
    fill_cache,
    rows,
    scored,
    write_recording,
)

from robovalue_ros.cli.main import main
from robovalue_ros.data.video import encode_video
from robovalue_ros.pipelines.results import scored_episodes

SEGMENTS = ("--value-method", "segment_match50")


def add(world: World, name: str, spec: Spec) -> Path:
    path = write_recording(world.root / name, spec)
    fill_cache(world, path, spec)
    return path


def merged(world: World) -> Path:
    """Return a data set folder in which every list has a file of the same name."""
    for name, spec in {
        "set/success/episode_0.hdf5": Spec(41, 31), "set/failure/episode_0.hdf5": Spec(42, 32),
        "set/intervention/episode_0.hdf5": Spec(43, 33, success=0),
    }.items():  # fmt: skip
        add(world, name, spec)
    return world.root / "set"


@pytest.mark.parametrize("method", [(), SEGMENTS], ids=["progress", "segments"])
def test_equal_names_get_files_of_their_own(
    method: tuple[str, ...], own_world: World, tmp_path: Path
) -> None:
    folder, out = merged(own_world), tmp_path / "out"
    words = own_world.words(
        out, "--dataset-hdf5-dir", str(folder), "--score-sources", "all", *method
    )
    assert estimate(words) == 0
    found = rows(out)
    order = [(Path(row["hdf5"]).parent.name, Path(row["hdf5"]).stem) for row in found]
    assert order[:2] == [("failure", "episode_0"), ("success", "episode_0")]
    assert order[-1] == ("intervention", "episode_0")
    # Teleoperation comes third, so its file of the same name lies in a folder of its own.
    files = {row["hdf5"]: Path(row["out_npz"]) for row in found}
    assert len(set(files.values())) == len(files) == 7
    names = {path.relative_to(out / "episode_values").as_posix() for path in files.values()}
    assert {"episode_0.hdf5.npz", "rollouts_success/episode_0.hdf5.npz",
            "teleop/episode_0.hdf5.npz", "intervention/episode_0.hdf5.npz"} <= names  # fmt: skip
    told = {path: arrays(path) for path in files.values()}
    by_source = {str(a["source"]): a for p, a in told.items() if p.name == "episode_0.hdf5.npz"}
    assert {s: int(a["t_total"]) for s, a in by_source.items()} == {
        "rollouts_failure": 42, "rollouts_success": 41, "teleop": 40, "intervention": 43,
    }  # fmt: skip
    assert {s: int(a["is_success"]) for s, a in by_source.items()} == {
        "rollouts_failure": 0, "rollouts_success": 1, "teleop": 1, "intervention": 0,
    }  # fmt: skip
    # Another order of the lists does not move files.
    assert estimate([*words, "--score-sources", "teleop"]) == 0
    last = rows(out)[len(found) :]
    assert {row["status"] for row in last} == {"reused"}
    assert {row["hdf5"]: Path(row["out_npz"]) for row in last}.items() <= files.items()
    episodes, findings = scored_episodes(out)
    assert len(episodes) == 7 and not findings


def test_a_recording_in_two_lists_is_scored_once(own_world: World, tmp_path: Path) -> None:
    words = own_world.words(tmp_path / "out", "--score-sources", "all")
    words[1] = str(own_world.rollouts / "success")
    assert estimate(words) == 0
    names = [Path(row["hdf5"]).name for row in rows(tmp_path / "out") if row["stage"] == "distance"]
    assert sorted(names) == [f"episode_{n}.hdf5" for n in (4, 5, 6, 7)]


def test_a_data_set_of_interventions_alone(own_world: World, tmp_path: Path) -> None:
    folder, out = merged(own_world), tmp_path / "out"
    shutil.rmtree(folder / "success")
    shutil.rmtree(folder / "failure")
    words = own_world.words(out, "--dataset-hdf5-dir", str(folder), "--score-sources", "dataset")
    assert estimate(words) == 0
    assert scored(out) == {"intervention/episode_0": "written"}


def test_interventions_count_as_successes_unless_they_say_otherwise(
    own_world: World, tmp_path: Path
) -> None:
    folder = own_world.root / "corrections"
    add(own_world, "corrections/episode_a.hdf5", Spec(40, 1))
    add(own_world, "corrections/episode_b.hdf5", Spec(40, 2, success=1))
    add(own_world, "corrections/episode_c.hdf5", Spec(40, 3, success=0))
    out = tmp_path / "out"
    words = own_world.words(out, "--intervention-hdf5-dir", str(folder))
    assert estimate([*words, "--score-sources", "dataset"]) == 0
    values = {n: arrays(out / f"episode_values/episode_{n}.hdf5.npz") for n in "abc"}
    assert {n: int(held["is_success"]) for n, held in values.items()} == {"a": 1, "b": 1, "c": 0}


def test_failures_never_succeed_and_successes_may_say_they_failed(
    own_world: World, tmp_path: Path
) -> None:
    add(own_world, "rollouts/failure/episode_x.hdf5", Spec(40, 1, success=1))
    add(own_world, "rollouts/success/episode_y.hdf5", Spec(40, 1, success=0))
    assert estimate(own_world.words(tmp_path / "out")) == 0
    for name in "xy":
        held = arrays(tmp_path / f"out/episode_values/episode_{name}.hdf5.npz")
        assert held["is_success"] == 0


def test_shortest_rollouts_by_the_trim_signal(own_world: World, tmp_path: Path) -> None:
    """Motion of the state decides; the rest remains to be scored."""
    import h5py

    paths = {}
    for number, length in enumerate((60, 50, 55)):
        paths[number] = write_recording(
            own_world.rollouts / "success" / f"episode_s{number}.hdf5", Spec(length, number)
        )
        with h5py.File(paths[number], "r+") as file:
            # By the action the order is the other way round.
            moved = {0: 20, 1: 40, 2: 30}[number]
            action = file["/action"][()]
            action[moved:] = action[moved - 1]
            file["/action"][...] = action
    common = (
        "--success-mode", "rollouts_shortest_p", "--shortest-p", "0.55", "--timestep-stride", "9",
        "--max-score-rollouts-failure-episodes", "1",
    )  # fmt: skip
    for name in ("episode_4.hdf5", "episode_5.hdf5"):
        (own_world.rollouts / "success" / name).unlink()
    for signal, compat, kept in (
        ("qpos", "off", {1, 2}), ("action", "off", {0, 2}), ("qpos", "reference", {0, 2}),
    ):  # fmt: skip
        out = tmp_path / f"{signal}{compat}"
        words = own_world.words(out, "--trim-signal", signal, "--compat", compat, *common)
        words = words[2:]
        assert estimate(words) == 0
        left = {name for name in scored(out) if name.startswith("success")}
        assert left == {f"success/episode_s{n}" for n in set(paths) - kept}
        report = json.loads((out / "cluster_centers_report.json").read_text("utf-8"))
        assert report["success_ref_count"] == 2


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--max-score-episodes", "3"), "674"),
        (("--max-score-rollouts-failure-episodes", "1"), "645"),
        (("--max-score-rollouts-success-episodes", "1"), "674"),
        (("--score-sources", "teleop", "--max-score-episodes", "1"), "0"),
        (("--score-sources", "all", "--max-score-episodes", "5"), "67450"),
    ],
)
def test_limits(words: tuple[str, ...], left: str, world: World, tmp_path: Path) -> None:
    assert estimate(world.words(tmp_path / "out", *words)) == 0
    names = [Path(row["hdf5"]).stem for row in rows(tmp_path / "out") if row["stage"] == "distance"]
    assert [name[-1] for name in names] == list(left)


def test_tasks_come_from_names_without_the_time_of_day(own_world: World, tmp_path: Path) -> None:
    for folder, stamp in (("demos", "20251225_173045"), ("rollouts/failure", "20251226_091500")):
        add(own_world, f"{folder}/episode_{stamp}_stack_it.hdf5", Spec(40, 5, task=None))
    out = tmp_path / "out"
    assert estimate(own_world.words(out)) == 0
    name = "episode_20251226_091500_stack_it.hdf5"
    assert str(arrays(out / f"episode_values/{name}.npz")["task"]) == "stack_it"
    # Stored results know each such file as a task of its own, which nothing was learned for.
    old = tmp_path / "old"
    assert estimate(own_world.words(old, "--compat", "reference")) == 0
    row = next(row for row in rows(old) if row["hdf5"].endswith(name))
    assert row["status"] == "error" and "091500_stack_it" in row["error"]


def test_a_task_that_is_told_is_never_taken_from_the_name(own_world: World, tmp_path: Path) -> None:
    for folder, stamp in (("demos", "20251225_173045"), ("rollouts/failure", "20251226_091500")):
        spec = Spec(40, 5, task="stack_it")
        add(own_world, f"{folder}/episode_{stamp}_stack_it.hdf5", spec)
    assert estimate(own_world.words(tmp_path / "out", "--compat", "reference")) == 0
    held = arrays(tmp_path / "out/episode_values/episode_20251226_091500_stack_it.hdf5.npz")
    assert str(held["task"]) == "stack_it"


def test_an_unknown_task_stops_nobody(own_world: World, tmp_path: Path) -> None:
    add(own_world, "rollouts/failure/episode_z.hdf5", Spec(40, 5, task="lift them"))
    for name, words in (("p", ()), ("s", SEGMENTS)):
        assert estimate(own_world.words(tmp_path / name, *words)) == 0
        statuses = scored(tmp_path / name)
        assert statuses.pop("failure/episode_z") == "error"
        assert set(statuses.values()) == {"written"}
    row = next(row for row in rows(tmp_path / "s") if row["status"] == "error")
    assert "lift them" in row["error"] and "'lift it'" in row["error"]


def test_cameras_named_otherwise(checkpoint: Path, tmp_path: Path) -> None:
    world = World(tmp_path / "world", checkpoint)
    cameras = ("front_rgb", "gripper_view")
    for number in range(3):
        add(world, f"demos/episode_{number}.hdf5", Spec(40, number, cameras=cameras))
    add(world, "rollouts/failure/episode_3.hdf5", Spec(40, 3, cameras=cameras))
    add(world, "rollouts/failure/episode_4.hdf5", Spec(40, 3, cameras=cameras[:1]))
    out = tmp_path / "out"
    assert estimate(world.words(out, "--camera-mode", "both")) == 0
    assert scored(out) == {"failure/episode_3": "written", "failure/episode_4": "error"}
    error = next(row["error"] for row in rows(out) if row["status"] == "error")
    assert "wrist" in error and "--wrist-camera" in error
    named = tmp_path / "named"
    words = ("--high-camera", "gripper_view", "--max-score-episodes", "1")
    assert estimate(world.words(named, *words)) == 0
    wrong = tmp_path / "wrong"
    assert estimate(world.words(wrong, "--high-camera", "gripper_veiw")) == 2
    log = (wrong / "estimate_vjepa_value.log").read_text("utf-8")
    assert "Did you mean 'gripper_view'?" in log


def pixels(demos: Path, rollouts: Path, out: Path, *more: str) -> int:
    """Score without weights, as most people begin."""
    return estimate([
        "--teleop-hdf5-dir", str(demos), "--rollouts-hdf5-dir", str(rollouts),
        "--out-cache-dir", str(out), "--fit-steps", "20", "--no-report",
        "--timestep-stride", "4", *more,
    ])  # fmt: skip


@pytest.fixture(scope="module")
def converted(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recordings as LeRobot data sets and as bags."""
    root = tmp_path_factory.mktemp("formats")
    for form in ("lerobot", "rosbag"):
        for part in ("demos", "rollouts"):
            words = [str(world.root / part), str(root / form / part), "--format", form]
            assert main(["data", "convert", *words]) == 0
    return root


@pytest.mark.parametrize("form", ["lerobot", "rosbag"])
def test_data_sets_of_other_formats(form: str, converted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = converted / form
    assert pixels(folder / "demos", folder / "rollouts", out, "--camera-mode", "both") == 0
    last = [row for row in rows(out) if row["stage"] == "distance"]
    assert len(last) == 4 and {row["status"] for row in last} == {"written"}
    assert all(Path(row["data"]).exists() and row["episode"] for row in last)
    held = [arrays(Path(row["out_npz"])) for row in last]
    sources = [str(item["source"]) for item in held]
    assert sorted(sources) == ["rollouts_failure"] * 2 + ["rollouts_success"] * 2
    assert {int(item["t_total"]) for item in held} == {42, 34, 52, 30}
    assert pixels(folder / "demos", folder / "rollouts", out, "--camera-mode", "both") == 0
    assert {row["status"] for row in rows(out)[-4:]} == {"reused"}


def test_a_data_set_without_labels_counts_as_failures_and_says_so(
    own_world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = own_world.root / "flat"
    for number in range(2):
        add(own_world, f"flat/episode_{number}.hdf5", Spec(40, number))
    add(own_world, "flat/episode_2.hdf5", Spec(40, 7, success=1))
    words = own_world.words(tmp_path / "out")
    words[words.index("--rollouts-hdf5-dir") + 1] = str(flat)
    assert estimate(words) == 0
    assert "2 episodes do not say whether they succeeded" in " ".join(
        capsys.readouterr().out.split()
    )
    sources = [
        str(arrays(p)["source"]) for p in sorted((tmp_path / "out/episode_values").iterdir())
    ]
    assert sources == ["rollouts_failure", "rollouts_failure", "rollouts_success"]


def test_videos_without_states_count_whole(world: World, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder, count in (("demos", 3), ("rollouts", 1)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            frames = rng.integers(0, 60, (26, 48, 64, 3), dtype=np.uint8)
            for step in range(26):
                frames[step, 10:30, 2 * step : 2 * step + 10] = 220
            path = tmp_path / folder / f"try_{number}.mp4"
            encode_video(path, iter(frames), fps=10.0)
    out = tmp_path / "out"
    task = ("--task", "cross the table")
    assert pixels(tmp_path / "demos", tmp_path / "rollouts", out, *task) == 0
    (path,) = (out / "episode_values").rglob("*.npz")
    held = arrays(path)
    assert (held["trim_start"], held["trim_end"]) == (0, 25) and str(held["task"]) == task[1]


def test_metadata_names_the_folders(own_world: World, tmp_path: Path) -> None:
    folder, out = merged(own_world), tmp_path / "out"
    words = own_world.words(out, "--dataset-hdf5-dir", str(folder), "--score-sources", "dataset")
    assert estimate(words) == 0
    told = json.loads((out / METADATA).read_text("utf-8"))
    assert told["dataset_hdf5_dir"] == str(folder)
    assert told["intervention_hdf5_dir"] == str(folder / "intervention")


def test_folders_that_are_not_there_are_named(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = world.words(tmp_path / "out")
    words[1] = str(tmp_path / "nowhere")
    assert estimate(words) == 2
    assert "nowhere" in capsys.readouterr().err
    assert estimate(["--out-cache-dir", str(tmp_path / "x"), "--vjepa-ckpt", "x.pt"]) == 2
    assert "--teleop-hdf5-dir" in capsys.readouterr().err
    (tmp_path / "file").write_bytes(b"")
    assert estimate(world.words(tmp_path / "file")) == 2
    told = capsys.readouterr().err
    assert "file" in told and "Traceback" not in told
