"""A launch file for a command of `robovalue`: the same options, the same work."""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.action import Action
from launch.actions import OpaqueFunction

from robovalue_ros.cli.commands import config_of
from robovalue_ros.nodes.launching.arguments import (
    LaunchArgument,
    command_words,
    given_values,
    launch_arguments,
)
from robovalue_ros.nodes.launching.processes import (
    check_required,
    declared,
    then,
    tool,
    warn_of_typos,
)

SETTINGS = LaunchArgument("config", "YAML file with options; arguments count more")


def tool_launch(command: str) -> LaunchDescription:
    """Return a launch that runs a command of the table and ends with it."""
    config_type = config_of(command)
    arguments = (*launch_arguments(config_type), SETTINGS)

    def start(context: LaunchContext) -> list[Action]:
        given = given_values(arguments, context.launch_configurations)
        settings = given.pop(SETTINGS.name, None)
        if settings is None:
            check_required(arguments, given)
        file = [] if settings is None else ["--config", settings]
        words = [*command.split(), *file, *command_words(config_type, given)]
        running = tool(words, then(f"robovalue {command}"))
        return [*warn_of_typos(arguments, context), running]

    return LaunchDescription([*declared(arguments), OpaqueFunction(function=start)])
