"""Play a bag, and with model:= let the value node watch it."""

from pathlib import Path

from launch import LaunchDescription

from robovalue_ros.nodes.launching.live import replay_launch


def generate_launch_description() -> LaunchDescription:
    """Return the launch; settings lie beside the folder of launch files."""
    return replay_launch(Path(__file__).parents[1] / "config")
