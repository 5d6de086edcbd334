"""Cut what a camera shows into actions: `segmenter_node`, every parameter an argument."""

from pathlib import Path

from launch import LaunchDescription

from robovalue_ros.nodes.launching.live import node_launch


def generate_launch_description() -> LaunchDescription:
    """Return the launch; settings lie beside the folder of launch files."""
    return node_launch("segmenter_node", Path(__file__).parents[1] / "config")
