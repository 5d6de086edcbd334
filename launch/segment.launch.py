"""Cut a camera, videos, data sets or bags into actions: `robovalue segment stream`."""

from launch import LaunchDescription

from robovalue_ros.nodes.launching.tools import tool_launch


def generate_launch_description() -> LaunchDescription:
    """Return a launch that runs the command and ends with its result."""
    return tool_launch("segment stream")
