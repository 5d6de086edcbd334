"""Fix which rows of a data set training sees: `robovalue plan build`."""

from launch import LaunchDescription

from robovalue_ros.nodes.launching.tools import tool_launch


def generate_launch_description() -> LaunchDescription:
    """Return a launch that runs the command and ends with its result."""
    return tool_launch("plan build")
