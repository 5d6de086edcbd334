"""Look at one scored episode beside its value curve: `robovalue value view`."""

from launch import LaunchDescription

from robovalue_ros.nodes.launching.tools import tool_launch


def generate_launch_description() -> LaunchDescription:
    """Return a launch that runs the command and ends with its result."""
    return tool_launch("value view")
