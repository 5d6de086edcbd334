"""What the simulator's node can be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.nodes.spine import NodeConfig

Commands = Literal["position", "action"]
PolicyName = Literal["none", "expert", "random"]
Reliability = Literal["reliable", "best_effort"]
_ARROW = ":="


@dataclass(frozen=True)
class SimNodeConfig(NodeConfig):
    """Parameters of the simulator's node."""

    env: str = option(
        "robovalue/PutRedCubeInBox-v0",
        "Gymnasium id; MODULE:ID imports a module first, which registers its ids",
    )
    env_options: tuple[str, ...] = option(
        (), "KEY:=JSON for each argument of the environment, such as size:=256"
    )
    seed: int = option(0, "seed of every episode and of the policy", low=0)
    rate_hz: float = option(
        0.0, "control steps per simulated second; 0: the environment's render_fps",
        low=0.0, high=10_000.0,
    )  # fmt: skip
    speed: float = option(
        1.0, "simulated seconds per second; 0: as fast as it goes", low=0.0, high=1000.0, live=True
    )
    publish_clock: bool = option(
        True,
        "publish /clock and stamp with simulated time; else stamps are of the node's own clock",
    )
    commands: Commands = option(
        "position", "what a command holds: positions of the coordinates, or an action"
    )
    command_timeout_s: float = option(
        0.5, "without a newer command for so many simulated seconds the robot holds; 0: never",
        low=0.0, high=3600.0, live=True,
    )  # fmt: skip
    policy: PolicyName = option(
        "none", "who moves the robot: none: commands; expert: the script of the simulator's tasks"
    )
    behaviour: str = option(
        "clean", "manner or failure of the expert: clean, noisy, drop, missed_grasp and so on"
    )
    auto_reset: bool = option(True, "begin the next episode by itself", live=True)
    pause_s: float = option(
        1.0, "simulated seconds between two episodes", low=0.0, high=3600.0, live=True
    )
    episodes: int = option(0, "end after so many episodes; 0: go on", low=0)
    wait_s: float = option(
        0.0, "seconds to wait for a listener of every camera before the first episode",
        low=0.0, high=3600.0,
    )  # fmt: skip
    compressed: bool = option(False, "publish JPEG instead of raw images")
    reliability: Reliability = option("reliable", "reliability of the image topics")
    record_dir: Path | None = option(
        None, "folder that finished episodes are written into; every command reads it at any time"
    )


def env_arguments(options: tuple[str, ...]) -> dict[str, Any]:
    """Return what `env_options` says; raises ConfigError."""
    found: dict[str, Any] = {}
    for text in options:
        key, arrow, value = (part.strip() for part in text.partition(_ARROW))
        if not (arrow and key.isidentifier()):
            raise ConfigError(f"env_options holds {text!r}", f"KEY{_ARROW}JSON")
        if key in found:
            raise ConfigError(f"env_options names {key!r} twice", "each argument once")
        try:
            found[key] = json.loads(value)
        except ValueError:
            raise ConfigError(
                f"env_options: {value!r} is no JSON", "a number, true, false, null, a list",
                f'A text needs quotes: {key}{_ARROW}"{value}".',
            ) from None  # fmt: skip
    return found
