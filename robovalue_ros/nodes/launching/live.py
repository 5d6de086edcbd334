"""Launch files with nodes: one alone; the value node beside a bag that plays, beside the simulator."""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import OpaqueFunction

from robovalue_ros.cli.commands import config_of
from robovalue_ros.nodes.launching.arguments import (
    SWITCH,
    LaunchArgument,
    command_words,
    given_values,
    launch_arguments,
    parameter_values,
)
from robovalue_ros.nodes.launching.processes import (
    check_required,
    declared,
    node,
    rviz,
    shared_memory,
    then,
    tool,
    warn_of_typos,
)
from robovalue_ros.nodes.segmenter_config import SegmenterNodeConfig
from robovalue_ros.nodes.sim_config import SimNodeConfig
from robovalue_ros.nodes.spine import NodeConfig
from robovalue_ros.nodes.value_config import ValueNodeConfig

NODES: dict[str, type[NodeConfig]] = {
    "value_node": ValueNodeConfig,
    "segmenter_node": SegmenterNodeConfig,
    "sim_node": SimNodeConfig,
}
LEVELS = ("debug", "info", "warn", "error", "fatal")
LOG_LEVEL = LaunchArgument("log_level", "how much nodes say; default: info", LEVELS)
SIM_TIME = LaunchArgument("use_sim_time", "take the time from /clock; default: false", SWITCH)
RVIZ = LaunchArgument("rviz", "open RViz too; default: false", SWITCH)
SURROUNDINGS = (
    LaunchArgument("namespace", "in which the node and its relative topics lie"),
    LaunchArgument("params_file", "YAML file with parameters; arguments count more"),
    LOG_LEVEL,
)
ON_END = LaunchArgument(
    "on_end",
    "when the node ends; shutdown: the whole launch ends; nothing: the rest goes on, for a launch "
    "file that includes this one; default: shutdown",
    ("shutdown", "nothing"),
)
# So long a player waits for the node to load its model, in seconds; bags may have other topics.
NODE_WAIT_S = "5"


def node_launch(name: str, config_folder: Path) -> LaunchDescription:
    """Return a launch of one node, every parameter an argument.

    name: one of NODES. config_folder: where the settings of this package lie.
    """
    config_type = NODES[name]
    own = launch_arguments(config_type)
    arguments = (*own, *SURROUNDINGS, SIM_TIME, ON_END)

    def start(context: LaunchContext) -> list[Action]:
        given = given_values(arguments, context.launch_configurations)
        if "params_file" not in given:
            check_required(own, given)
        ours = {key: given[key] for key in (one.name for one in own) if key in given}
        parameters = parameter_values(config_type, ours)
        if SIM_TIME.name in given:
            parameters[SIM_TIME.name] = given[SIM_TIME.name] == "true"
        told = {one.name: given.get(one.name, "") for one in SURROUNDINGS}
        ended = None if given.get(ON_END.name) == "nothing" else then(name)
        return [*warn_of_typos(arguments, context), node(name, parameters, ended=ended, **told)]

    return LaunchDescription(
        [*declared(arguments), shared_memory(config_folder), OpaqueFunction(function=start)]
    )


def replay_launch(config_folder: Path) -> LaunchDescription:
    """Return a launch that plays a bag, and with a model the value node that listens to it."""
    play = config_of("bag play")
    playing = launch_arguments(play)
    watching = tuple(
        LaunchArgument(one.name, one.description.removesuffix("; required"), one.choices)
        for one in launch_arguments(ValueNodeConfig)
    )
    arguments = (*playing, *watching, *SURROUNDINGS, RVIZ)

    def start(context: LaunchContext) -> list[Action]:
        given = given_values(arguments, context.launch_configurations)
        check_required(playing, given)
        node_given = {one.name: given[one.name] for one in watching if one.name in given}
        bag_given = {one.name: given[one.name] for one in playing if one.name in given}
        bag_given.setdefault("clock", "true")
        actions = warn_of_typos(arguments, context)
        if "model" in node_given or "params_file" in given:
            bag_given.setdefault("wait_s", NODE_WAIT_S)
            parameters = parameter_values(ValueNodeConfig, node_given)
            parameters["use_sim_time"] = bag_given["clock"] == "true"
            told = {one.name: given.get(one.name, "") for one in SURROUNDINGS}
            actions.append(node("value_node", parameters, ended=then("value_node"), **told))
        if given.get(RVIZ.name) == "true":
            actions.append(rviz(config_folder))
        words = ["bag", "play", *command_words(play, bag_given)]
        return [*actions, tool(words, then("robovalue bag play"))]

    return LaunchDescription(
        [*declared(arguments), shared_memory(config_folder), OpaqueFunction(function=start)]
    )
