"""Every launch file, run as a process: it reaches its goal and ends by itself with the right code.

Needs `launch` and `launch_ros`, which come with ROS 2 and not from PyPI.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

pytest.importorskip("launch", reason="`launch` comes with an installed ROS 2")
pytest.importorskip("launch_ros", reason="`launch_ros` comes with an installed ROS 2")

from code_data import make_folder
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch_runner import FILES, NAMES, ROOT, calls, interrupt, launched, started

from robovalue_ros.cli.commands import config_of
from robovalue_ros.nodes.launching.arguments import launch_arguments
from robovalue_ros.nodes.launching.live import NODES
from robovalue_ros.nodes.launching.processes import shared_memory
from robovalue_ros.nodes.value_config import ValueNodeConfig

pytestmark = [pytest.mark.ros, pytest.mark.sim]
SIM = ("size:=32", "seed:=3")


@dataclass(frozen=True)
class Made:
    """What earlier launch files of the chain left behind."""

    folder: Path
    demos: Path
    model: Path
    values: Path
    bags: Path
    cut: Path
    tracks: Path
    codes: Path
    networks: Path
    vectors: Path
    plan: Path


def done(name: str, folder: Path, *words: str, **environment: str) -> str:
    code, said = launched(name, folder, *words, **environment)
    assert code == 0, said
    assert "Traceback" not in said
    return said


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Record, fit, convert and estimate, each through its launch file."""
    folder = tmp_path_factory.mktemp("launched")
    names = (
        "demos", "toy.npz", "values", "bags", "cut", "tracks", "codes", "networks", "vectors",
        "plan",
    )  # fmt: skip
    found = Made(folder, *(folder / name for name in names))
    done("record_sim", folder, f"out:={found.demos}", "episodes:=4", "success_rate:=0.75", *SIM)
    done("fit_value", folder, f"data:={found.demos}", f"out:={found.model}", "steps:=30")
    done("convert_data", folder, f"src:={found.demos}", f"dst:={found.bags}", "format:=rosbag")
    settings = folder / "estimate.yaml"
    shipped = yaml.safe_load((ROOT / "config" / "estimate.yaml").read_text(encoding="utf-8"))
    chosen = {"teleop_hdf5_dir": str(found.demos), "rollouts_hdf5_dir": str(found.demos)}
    settings.write_text(yaml.safe_dump(shipped | chosen), encoding="utf-8")
    done(
        "estimate_values", folder, f"config:={settings}", f"model:={found.model}",
        f"out_cache_dir:={found.values}", "value_method:=segment_match50", "report:=false",
        "segment_match_num_segments:=4", "segment_match_score:=diffusion",
        "segment_match_diffusion_epochs:=2", "segment_match_diffusion_hidden_dim:=8",
        "segment_match_diffusion_pca_dim:=2", "score_sources:=rollouts",
    )  # fmt: skip
    make_segments(found)
    done(
        "build_plan", folder, f"repo_id:={found.demos}", "num_episodes_keep:=3", "batch_size:=8",
        "gripper_event_enabled:=true", "gripper_dims:=6,7", f"out_dir:={found.plan}",
    )  # fmt: skip
    return found


def make_segments(made: Made) -> None:
    """Cut the demonstrations, follow their points, learn from segments."""
    folder = made.folder
    # Pictures this small hardly move: no gate, and everything that moves at all is an action.
    done(
        "segment", folder, f"source:={made.demos}", f"output_dir:={made.cut}", "cameras:=cam_high",
        "pre_gate:=false", "motion_gate:=false", "threshold:=0.0001", "codec:=h264",
        f"config:={ROOT / 'config' / 'segment_stream.yaml'}",
    )  # fmt: skip
    done(
        "preprocess", folder, f"source:={made.demos}", f"output_dir:={made.tracks}",
        "cameras:=cam_high", "num_tracks:=16", "resize_shorter:=0",
    )  # fmt: skip
    make_folder(made.codes)
    done(
        "train_codes", folder, f"json_root:={made.codes}", f"out_dir:={made.networks}", "epochs:=1",
        "hidden_dim:=12", "embedding_dim:=8",
    )  # fmt: skip
    (network,) = made.networks.rglob("model_best.safetensors")
    done(
        "embed_codes", folder, f"json_root:={made.codes}", f"model_pt:={network}",
        f"out_dir:={made.vectors}",
    )  # fmt: skip


def marked(made: Made) -> Path:
    """Return a folder of lists as somebody marks them: here what was found."""
    folder = made.folder / "marked"
    folder.mkdir(exist_ok=True)
    for path in made.cut.rglob("*_segments.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def vectors_of(made: Made) -> Path:
    (found,) = made.vectors.rglob("embed.npy")
    return found.parent


def first_bag(made: Made) -> Path:
    return sorted(path.parent for path in made.bags.rglob("metadata.yaml"))[0]


def nothing(made: Made, said: str) -> None:
    """Say that the exit code is all."""


def file(name: str) -> Callable[[Made, str], None]:
    """Expect a file of that name in the folder, or below the values."""

    def check(made: Made, said: str) -> None:
        assert list(made.folder.rglob(name)), said

    return check


def line(text: str) -> Callable[[Made, str], None]:
    def check(made: Made, said: str) -> None:
        assert re.search(text, said), said

    return check


# What each launch file is told, and what it must reach.
GOALS: dict[str, tuple[Callable[[Made], list[str]], Callable[[Made, str], None]]] = {
    "inspect_data": (lambda made: [f"path:={made.demos}", "json:=true"], line('"format": "hdf5"')),
    "compare_data": (lambda made: [f"first:={made.demos}", f"second:={made.demos}"],
                     line("4 of 4 episodes are the same")),
    "doctor": (lambda made: [f"path:={made.demos}", f"sheet:={made.folder}/sheet.png"],
               file("sheet.png")),
    "report": (lambda made: [f"path:={made.demos}", "limit:=1", f"out:={made.folder}/look.html"],
               file("look.html")),
    "evaluate_values": (lambda made: [f"results:={made.values}", "draws:=10", "calibration:=0.0",
                                      f"out:={made.folder}/judged.json"], file("judged.json")),
    "export_values": (lambda made: [f"results:={made.values}", "to:=weights",
                                    f"out:={made.folder}/cars"], file("*.parquet")),
    "report_values": (lambda made: [f"results:={made.values}", f"out:={made.folder}/values.html",
                                    "limit:=1"], file("values.html")),
    "view_values": (lambda made: [f"hdf5_path:={sorted(made.demos.rglob('*.hdf5'))[0]}",
                                  f"cache_dir:={made.values}", "no_gui:=true",
                                  f"out_png:={made.folder}/seen.png"], file("seen.png")),
    "check_clusters": (lambda made: [f"out_cache_dir:={made.values}"], line("groups formed")),
    "check_diffusion": (lambda made: [f"out_cache_dir:={made.values}", "max_train_samples:=50",
                                      "heatmap_num_episodes:=1"],
                        file("segmatch50_diffusion_check_summary.json")),
    "centers_2d": (lambda made: [f"out_cache_dir:={made.values}",
                                 f"out_png:={made.folder}/plane.png"], file("plane.png")),
    "bag_info": (lambda made: [f"bags:={first_bag(made)}", f"model:={made.model}"],
                 line("/cam_high")),
    "score_bag": (lambda made: [f"bags:={first_bag(made)}", f"model:={made.model}",
                                f"out:={made.folder}/scored"], line("value at the end")),
    "replay": (lambda made: [f"bag:={first_bag(made)}", "rate:=20", f"model:={made.model}",
                             "wait_s:=3", "cameras:=cam_high:=/cam_high/image_raw/compressed"],
               line("cam_high on /cam_high/image_raw/compressed(.|\n)*messages in")),
    "sim": (lambda made: ["policy:=expert", "env_options:=size:=32", "speed:=0", "episodes:=1",
                          f"record_dir:={made.folder}/played"], file("played")),
    "train_tokenizer": (lambda made: [f"data:={made.tracks}", f"out:={made.folder}/tokenizers",
                                      "quick:=true", "epochs:=1", "hidden_dim:=16",
                                      "num_heads:=2", "codebook_size:=16",
                                      "still_windows:=keep"], file("*.safetensors")),
    "sweep_thresholds": (lambda made: [f"quantized_root:={made.cut}", f"velocity_root:={made.cut}",
                                       "label_threshold:=quantile:0.5",
                                       f"output_json:={made.folder}/threshold.json"],
                         file("threshold.json")),
    "evaluate_segments": (lambda made: [f"gt_dir:={marked(made)}", f"pred_root:={made.cut}",
                                        f"output_json:={made.folder}/agreed.json"],
                          file("agreed.json")),
    "export_labels": (lambda made: [f"results:={made.cut}", f"dataset:={made.demos}",
                                    "partial:=true", f"out:={made.folder}/labels"],
                      file("substep_labels_output.json")),
    "split_videos": (lambda made: [f"source:={made.cut}", f"out:={made.folder}/pieces",
                                   "seconds:=0.5"], file("pieces")),
    "check_videos": (lambda made: [f"path:={made.cut}"], line("files are fine")),
    "clean_videos": (lambda made: [f"path:={made.cut}", "dry_run:=true"], nothing),
    "evaluate_codes": (lambda made: [f"json_root:={made.codes}", "features:=bow", "umap:=false",
                                     f"out_dir:={made.folder}/told"], file("told")),
    "cluster_codes": (lambda made: [f"embed_dir:={vectors_of(made)}", "k_max:=3", "umap:=false",
                                    f"out_dir:={made.folder}/grouped"], file("gallery.html")),
    "verify_plan": (lambda made: [f"plan_path:={made.plan}", f"repo_id:={made.demos}"],
                    line("the plan is whole")),
    "inspect_plan": (lambda made: [f"plan_path:={made.plan}", "replacement:=false",
                                   f"out:={made.folder}/plan_look"], file("plan.html")),
    "compare_plans": (lambda made: [f"first:={made.plan}", f"second:={made.plan}"],
                      line("training sees the same of both")),
    "plan_episodes": (lambda made: [f"repo_id:={made.demos}"], line("rows == last frame")),
    "plan_horizon": (lambda made: [f"repo_id:={made.demos}", "episode_id:=1"],
                     line("the last frame")),
    "norm_stats": (lambda made: [f"plan_path:={made.plan}", "plan_subset_mode:=anchors",
                                 "output_asset_id:=mine", f"assets_base_dir:={made.folder}/assets"],
                   file("norm_stats.json")),
    "sim_demo": (lambda made: [f"model:={made.model}", "size:=32", "episodes:=1", "speed:=0",
                               f"record_dir:={made.folder}/watched"],
                 line("cam_high on /cam_high/image_raw(.|\n)*value_node.*cleanly")),
}  # fmt: skip


# What the others need: these run first, see `made`.
CHAIN = {
    "record_sim", "fit_value", "convert_data", "estimate_values", "segment", "preprocess",
    "train_codes", "embed_codes", "build_plan",
}  # fmt: skip


def test_every_launch_file_has_a_goal() -> None:
    # Nodes that watch cameras go on until they are told to stop; see below.
    assert {*GOALS, *CHAIN, "value", "segmenter"} == set(NAMES)


def test_the_chain_from_the_simulator_to_values_leaves_what_it_should(made: Made) -> None:
    assert len(list(made.demos.rglob("*.hdf5"))) == 4
    assert made.model.is_file()
    assert len(list(made.bags.rglob("metadata.yaml"))) == 4
    for kind in ("episode_values", "causal_values"):
        assert len(list((made.values / kind).rglob("*.npz"))) == 4
    assert len(list(made.cut.rglob("*_segments.json"))) == 4 and list(made.cut.rglob("*.mp4"))
    assert len(list(made.tracks.rglob("*.hdf5"))) == 4


@pytest.mark.parametrize("name", sorted(GOALS))
def test_a_launch_file_reaches_its_goal_and_ends_by_itself(name: str, made: Made) -> None:
    words, reached = GOALS[name]
    reached(made, done(name, made.folder, *words(made)))


def test_the_demonstration_learns_first_where_no_model_is_given(tmp_path: Path) -> None:
    words = ["demos:=2", "steps:=30", "size:=32", "episodes:=1", "speed:=0", f"folder:={tmp_path}"]
    said = done("sim_demo", tmp_path, *words)
    assert "wrote 2 episodes" in said and (tmp_path / "put_red_cube.npz").is_file()
    assert re.search("sim_node.*episodes are over", said)


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    heard = ""
    for one in process.stdout:
        heard += one
        if text in one:
            return heard
    raise AssertionError(f"the launch ended before it said {text!r}:\n{heard}")


def test_the_value_node_runs_until_it_is_told_to_stop(made: Made) -> None:
    words = [f"model:={made.model}", "namespace:=arm", "cameras:=cam_high:=eye, cam_left_wrist:=hand"]  # fmt: skip
    process = started("value", made.folder, *words, "task:=5", "log_level:=debug")
    wait_for_line(process, "cam_high on eye, cam_left_wrist on hand")
    interrupt(process)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


def test_the_segmenter_node_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    shipped = ROOT / "config" / "segmenter_node.yaml"
    words = [f"params_file:={shipped}", "image_topic:=/eye/compressed", "threshold:=0.5"]
    process = started("segmenter", tmp_path, *words)
    wait_for_line(process, "energy velocity from 0.5 on, lucas_kanade; camera on /eye/compressed")
    interrupt(process)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


def test_arguments_count_more_than_a_parameter_file(made: Made) -> None:
    shipped = ROOT / "config" / "value_node.yaml"
    words = [f"params_file:={shipped}", f"model:={made.model}", "transport:=compressed"]
    process = started("value", made.folder, *words)
    wait_for_line(process, "cam_high on image/compressed, cam_left_wrist on image_2/compressed")
    interrupt(process)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, rest


@pytest.mark.parametrize(
    ("name", "words", "part"),
    [
        ("fit_value", [], "needs data:="),
        ("value", [], "needs model:="),
        ("replay", ["model:=toy.npz"], "needs bag:="),
        ("inspect_data", ["path:=/nowhere"], "robovalue data inspect ended with exit code 2"),
        ("value", ["model:=/nowhere.npz"], "value_node ended with exit code 2"),
        ("value", ["model:=toy.npz", "depth:=deep"], "depth:=deep"),
        ("doctor", ["json:=perhaps"], "perhaps"),
        ("score_bag", ["bagz:=x", "model:=x"], "needs bags:="),
    ],
)
def test_what_goes_wrong_is_said_and_ends_the_launch_with_1(
    name: str, words: list[str], part: str, tmp_path: Path
) -> None:
    code, said = launched(name, tmp_path, *words)
    assert code == 1 and part in said, said


def test_a_part_of_a_larger_launch_may_end_alone(tmp_path: Path) -> None:
    code, said = launched("value", tmp_path, "model:=/nowhere.npz", "on_end:=nothing")
    assert code == 0 and "exit code 2" in said, said


def test_an_argument_that_looks_like_another_is_named(made: Made) -> None:
    said = done("inspect_data", made.folder, f"path:={made.demos}", "jsom:=true")
    assert "no argument is called 'jsom'. Did you mean 'json'?" in said


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_declared_arguments_are_those_of_the_configuration(path: Path) -> None:
    description = get_launch_description_from_python_launch_file(str(path))
    declared = {
        one.name: one for one in description.entities if isinstance(one, DeclareLaunchArgument)
    }
    wanted = [*_configurations(path)]
    for config_type in wanted:
        for argument in launch_arguments(config_type):
            one = declared[argument.name]
            assert one.description.startswith(argument.description.removesuffix("; required"))
            assert tuple(one.choices or ())[1:] == argument.choices
    assert all(one.description for one in declared.values())
    if wanted:
        fields = {one.name for kind in wanted for one in launch_arguments(kind)}
        ours = {"config", "namespace", "params_file", "log_level", "use_sim_time", "on_end", "rviz"}
        assert declared.keys() - fields <= ours


def _configurations(path: Path) -> list[type]:
    for name, words in calls(path):
        if name == "tool_launch":
            return [config_of(words[0])]
        if name == "node_launch":
            return [NODES[words[0]]]
        if name == "replay_launch":
            return [config_of("bag play"), ValueNodeConfig]
    return []


@pytest.mark.parametrize(
    ("told", "changed"),
    [
        ({}, ["FASTDDS"]),
        ({"ROS_DISTRO": "jazzy"}, ["FASTDDS"]),
        ({"ROS_DISTRO": "humble"}, ["FASTDDS", "FASTRTPS"]),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "mine.xml"}, []),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": "mine.xml"}, []),
    ],
)
def test_images_go_through_shared_memory_unless_the_user_said_otherwise(
    told: dict[str, str], changed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ROS_DISTRO", *(f"{kind}_DEFAULT_PROFILES_FILE" for kind in ("FASTDDS", "FASTRTPS"))):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    context = LaunchContext()
    actions = shared_memory(ROOT / "config").execute(context) or []
    assert all(isinstance(action, SetEnvironmentVariable) for action in actions)
    for action in actions:
        action.execute(context)
    profile = str(ROOT / "config" / "fastdds_shm.xml")
    assert Path(profile).is_file()
    for kind in ("FASTDDS", "FASTRTPS"):
        name = f"{kind}_DEFAULT_PROFILES_FILE"
        wanted = profile if kind in changed else told.get(name)
        assert context.environment.get(name) == wanted
