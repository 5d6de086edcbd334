"""The closed loop without a robot: learn, then watch the simulator's expert."""

from pathlib import Path

from launch import LaunchDescription

from robovalue_ros.nodes.launching.demo import sim_demo_launch


def generate_launch_description() -> LaunchDescription:
    """Return the launch; settings lie beside the folder of launch files."""
    return sim_demo_launch(Path(__file__).parents[1] / "config")
