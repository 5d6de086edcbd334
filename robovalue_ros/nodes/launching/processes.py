"""Actions that every launch file shares: arguments, tools, nodes, and how a launch ends with them.

`ros2 launch` itself ends with 0 or 1: a tool or node that ends with another exit code than 0 makes
it 1, and the message names the code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch import LaunchContext
from launch.action import Action
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.events.process import ProcessExited
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.nodes.launching.arguments import LaunchArgument
from robovalue_ros.nodes.launching.executables import executable_words

PROFILE = "fastdds_shm.xml"
PROFILE_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
# Its name before Jazzy; later ones warn of it.
OLD_VARIABLE, OLD_DISTRIBUTIONS = "FASTRTPS_DEFAULT_PROFILES_FILE", ("humble", "iron")
GUESS = "Did you mean"
Ended = Callable[[ProcessExited, LaunchContext], "list[Action] | None"]


def declared(arguments: Iterable[LaunchArgument]) -> list[Action]:
    """Declare arguments; each is empty unless it is given."""
    return [
        DeclareLaunchArgument(
            one.name, default_value="", description=one.description,
            choices=["", *one.choices] if one.choices else None,
        )
        for one in arguments
    ]  # fmt: skip


def check_required(arguments: Iterable[LaunchArgument], given: Mapping[str, str]) -> None:
    """Raise ConfigError naming the required arguments that are not there."""
    missing = [one for one in arguments if one.required and one.name not in given]
    if missing:
        told = ", ".join(f"{one.name}:= ({one.description})" for one in missing)
        raise ConfigError(f"this launch file needs {told}")


def warn_of_typos(arguments: Sequence[LaunchArgument], context: LaunchContext) -> list[Action]:
    """Name arguments of the command line that nobody knows but that look like one of ours.

    Launch ignores what no file declares; another file of the same launch may know the name, so a
    warning must do.
    """
    known = {one.name for one in arguments}
    names = [word.partition(":=")[0] for word in context.argv if ":=" in word]
    hints = {name: nearest(name, known) for name in names if name not in known}
    return [
        LogInfo(msg=f"no argument is called {name!r}. {hint}")
        for name, hint in hints.items()
        if hint.startswith(GUESS)
    ]


def then(name: str, following: Sequence[Action] = ()) -> Ended:
    """Return what happens when a process ends: `following`, else the end of the launch.

    An exit code other than 0 ends the launch with 1.
    """

    def ended(event: ProcessExited, context: LaunchContext) -> list[Action] | None:
        if context.is_shutdown:
            return None
        if event.returncode:
            raise RuntimeError(f"{name} ended with exit code {event.returncode}")
        return list(following) or [Shutdown(reason=f"{name} has ended")]

    return ended


def tool(words: Sequence[str], ended: Ended) -> Action:
    """Run `robovalue WORDS`; its lines are shown as they are."""
    return ExecuteProcess(
        cmd=[*executable_words("robovalue"), *words], name="robovalue", output="screen",
        output_format="{line}", on_exit=ended,
    )  # fmt: skip


def node(
    name: str,
    parameters: Mapping[str, Any],
    *,
    params_file: str = "",
    namespace: str = "",
    log_level: str = "",
    ended: Ended | None = None,
) -> Action:
    """Start a node of this package; `parameters` count more than the file."""
    words = executable_words(name)
    files = [params_file] if params_file else []
    typed = {key: _as_is(value) for key, value in parameters.items()}
    return Node(
        executable=words[0], arguments=words[1:], namespace=namespace or None,
        parameters=[*files, *([typed] if typed else [])], output="screen",
        ros_arguments=["--log-level", log_level] if log_level else None, on_exit=ended,
    )  # fmt: skip


def shared_memory(config_folder: Path) -> Action:
    """Let processes that start afterwards send images through shared memory.

    A profile that the user has set stays.
    """

    def choose(context: LaunchContext) -> list[Action]:
        told = context.environment
        if told.get(PROFILE_VARIABLE) or told.get(OLD_VARIABLE):
            return []
        old = told.get("ROS_DISTRO") in OLD_DISTRIBUTIONS
        names = (PROFILE_VARIABLE, OLD_VARIABLE) if old else (PROFILE_VARIABLE,)
        return [SetEnvironmentVariable(name, str(config_folder / PROFILE)) for name in names]

    return OpaqueFunction(function=choose)


def rviz(config_folder: Path) -> Action:
    """Open RViz with both cameras; closing it ends nothing."""
    return Node(
        package="rviz2", executable="rviz2", output="log",
        arguments=["-d", str(config_folder / "robovalue.rviz")],
    )  # fmt: skip


def _as_is(value: Any) -> Any:
    """Keep a text a text: launch would read `5` as a number."""
    if isinstance(value, str):
        return ParameterValue(value, value_type=str)
    if isinstance(value, list):
        return ParameterValue(value, value_type=list[str])
    return value
