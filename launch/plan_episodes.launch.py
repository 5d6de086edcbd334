"""Tell whether a data set has what plans need: `robovalue plan episodes`."""

from launch import LaunchDescription

from robovalue_ros.nodes.launching.tools import tool_launch


def generate_launch_description() -> LaunchDescription:
    """Return a launch that runs the command and ends with its result."""
    return tool_launch("plan episodes")
