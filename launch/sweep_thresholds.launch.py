"""Find the energy from which a window counts as motion: `robovalue segment sweep`."""

from launch import LaunchDescription

from robovalue_ros.nodes.launching.tools import tool_launch


def generate_launch_description() -> LaunchDescription:
    """Return a launch that runs the command and ends with its result."""
    return tool_launch("segment sweep")
