"""How the executables of this package are started from a launch file."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from robovalue_ros.contracts.errors import ConfigError

PACKAGE = "robovalue_ros"
FUNCTIONS = {
    "robovalue": "robovalue_ros.cli.main:main",
    "value_node": "robovalue_ros.nodes.entry:value_node",
    "segmenter_node": "robovalue_ros.nodes.entry:segmenter_node",
    "sim_node": "robovalue_ros.nodes.entry:sim_node",
}


def executable_words(name: str) -> list[str]:
    """Return the words that start an executable.

    What colcon installed comes first: its first line names the Python that it was built with, which
    has torch also where `ros2` itself runs in the Python of the system. Then what pip installed,
    beside this Python or on the path; at last this Python and the function, for a checkout.
    """
    if name not in FUNCTIONS:
        raise ConfigError(f"{PACKAGE} has no executable {name!r}", ", ".join(FUNCTIONS))
    prefixes = [Path(part) for part in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    places = [prefix / "lib" / PACKAGE / name for prefix in prefixes if prefix.parts]
    for place in [*places, Path(sys.executable).parent / name]:
        if os.access(place, os.X_OK):
            return [str(place)]
    if found := shutil.which(name):
        return [found]
    module, function = FUNCTIONS[name].split(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}())"
    return [sys.executable, "-c", code]
