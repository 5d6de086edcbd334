"""The executables of the nodes; ROS is imported only when one of them starts."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from robovalue_ros.contracts.errors import MissingExtra


def value_node() -> int:
    """Run the value node; its parameters come after --ros-args."""
    return _run("robovalue_ros.nodes.value_node", "ValueNode")


def segmenter_node() -> int:
    """Run the segmenter node; its parameters come after --ros-args."""
    return _run("robovalue_ros.nodes.segmenter_node", "SegmenterNode")


def sim_node() -> int:
    """Run the simulator's node; its parameters come after --ros-args."""
    return _run("robovalue_ros.nodes.sim_node", "SimNode")


def _run(module: str, name: str) -> int:
    if find_spec("rclpy") is None:
        problem = MissingExtra("rclpy", "ros", "a ROS 2 node")
        print(f"robovalue: error: {problem} Or source the ROS 2 of your robot.", file=sys.stderr)
        return problem.exit_code
    running = import_module("robovalue_ros.nodes.running")
    code: int = running.run(getattr(import_module(module), name))
    return code


if __name__ == "__main__":
    sys.exit(value_node())
