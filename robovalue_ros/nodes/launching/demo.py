"""The closed loop on one machine: the simulator's robot works, the value node watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import LogInfo, OpaqueFunction

from robovalue_ros.contracts.simulate import CAMERAS, ENV_IDS, TaskName
from robovalue_ros.nodes.launching.arguments import (
    LaunchArgument,
    given_values,
    launch_arguments,
    parameter_values,
)
from robovalue_ros.nodes.launching.live import LOG_LEVEL, RVIZ
from robovalue_ros.nodes.launching.processes import (
    declared,
    node,
    rviz,
    shared_memory,
    then,
    tool,
    warn_of_typos,
)
from robovalue_ros.nodes.sim_config import SimNodeConfig

# What is passed on to the simulator's node as it is.
PASSED = ("behaviour", "seed", "speed", "pause_s", "compressed", "record_dir")
# So long the first episode waits for the value node to load its model, in seconds.
NODE_WAIT_S = 60.0


@dataclass(frozen=True)
class _Plan:
    """What the demonstration does; all text as it was given."""

    task: str
    size: str
    demos: str
    steps: str
    folder: Path
    model: Path

    @property
    def recorded(self) -> Path:
        return self.folder / f"{self.task}_demos"

    @property
    def record(self) -> list[str]:
        words = ["sim", "record", "--task", self.task, "--episodes", self.demos]
        return [*words, "--size", self.size, "--out", str(self.recorded)]

    @property
    def fit(self) -> list[str]:
        words = ["value", "fit", str(self.recorded), "--out", str(self.model)]
        return [*words, "--steps", self.steps]


DEFAULTS = {"task": "put_red_cube", "size": "128", "demos": "8", "steps": "0", "episodes": "2"}
FOLDER = "robovalue_sim_demo"
ARGUMENTS = (
    LaunchArgument("model", "value model; without one demonstrations are recorded and it is learned"),
    LaunchArgument("task", f"the simulated task; default: {DEFAULTS['task']}", get_args(TaskName)),
    LaunchArgument("episodes", f"how many episodes are watched; default: {DEFAULTS['episodes']}"),
    LaunchArgument("size", f"height and width of the pictures; default: {DEFAULTS['size']}"),
    LaunchArgument("demos", f"demonstrations to learn from; default: {DEFAULTS['demos']}"),
    LaunchArgument("steps", "training steps; 0: as many as suit; default: 0"),
    LaunchArgument("folder", f"where they are kept, and used again; default: {FOLDER}"),
    *(one for one in launch_arguments(SimNodeConfig) if one.name in PASSED),
    RVIZ,
    LOG_LEVEL,
)  # fmt: skip


def sim_demo_launch(config_folder: Path) -> LaunchDescription:
    """Return a launch that ends by itself when the episodes are over."""

    def start(context: LaunchContext) -> list[Action]:
        given = DEFAULTS | given_values(ARGUMENTS, context.launch_configurations)
        plan = _plan(given)
        actions = [*warn_of_typos(ARGUMENTS, context)]
        watching = _nodes(plan, given, config_folder)
        if "model" in given:
            return [*actions, *watching]
        if plan.model.is_file():
            return [*actions, _kept(plan.model), *watching]
        learning = tool(plan.fit, then("robovalue value fit", watching))
        if plan.recorded.is_dir():
            return [*actions, _kept(plan.recorded), learning]
        return [*actions, tool(plan.record, then("robovalue sim record", [learning]))]

    return LaunchDescription(
        [*declared(ARGUMENTS), shared_memory(config_folder), OpaqueFunction(function=start)]
    )


def _plan(given: Mapping[str, str]) -> _Plan:
    folder = Path(given.get("folder", FOLDER))
    task = given["task"]
    model = Path(given.get("model", folder / f"{task}.npz"))
    return _Plan(task, given["size"], given["demos"], given["steps"], folder, model)


def _nodes(plan: _Plan, given: Mapping[str, str], config_folder: Path) -> list[Action]:
    simulated = {name: given[name] for name in PASSED if name in given}
    simulated |= {
        "env": ENV_IDS[plan.task], "env_options": f"size:={plan.size}", "policy": "expert",
        "episodes": given["episodes"], "wait_s": str(NODE_WAIT_S),
    }  # fmt: skip
    ending = "/compressed" if given.get("compressed") == "true" else ""
    watching = {
        "model": str(plan.model), "task": plan.task, "use_sim_time": True,
        "episode_topic": "/sim_node/episode",
        "cameras": [f"{camera}:=/{camera}/image_raw{ending}" for camera in CAMERAS],
    }  # fmt: skip
    level = given.get(LOG_LEVEL.name, "")
    parameters = parameter_values(SimNodeConfig, simulated)
    actions = [
        node("value_node", watching, log_level=level, ended=then("value_node")),
        node("sim_node", parameters, log_level=level, ended=then("sim_node")),
    ]
    return [*actions, rviz(config_folder)] if given.get(RVIZ.name) == "true" else actions


def _kept(path: Path) -> Action:
    return LogInfo(msg=f"{path} of an earlier run is used; another folder:= begins anew")
