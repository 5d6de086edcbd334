"""A simulated robot: `sim_node`, every parameter an argument."""

from pathlib import Path

from launch import LaunchDescription

from robovalue_ros.nodes.launching.live import node_launch


def generate_launch_description() -> LaunchDescription:
    """Return the launch; settings lie beside the folder of launch files."""
    return node_launch("sim_node", Path(__file__).parents[1] / "config")
