"""A slider with two coordinates and one camera as a Gymnasium environment: toy_slider:toy/Slider-v0.

The picture is brighter where the slider is further along `a`, so that both can be compared.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import register, registry

from robovalue_ros.contracts.errors import RobotError

SLIDER = "toy_slider:toy/Slider-v0"
STEP = 0.05
SIZE = (16, 20)


def shade(a: float) -> int:
    return int(np.clip(100 + 100 * a, 0, 255))


class Slider(gymnasium.Env[dict[str, Any], Any]):
    """Ends when `a` reaches 1. breaks: "error" or "bug" at the tenth step. length: truncates."""

    metadata = {"render_modes": [], "render_fps": 100}  # noqa: RUF012 - Gymnasium
    coordinate_names = ("a", "b")

    def __init__(self, length: int = 100_000, breaks: str = "", start: float = 0.0) -> None:
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "state": spaces.Box(-9.0, 9.0, (2,), np.float32),
                "cam_high": spaces.Box(0, 255, (*SIZE, 3), np.uint8),
            }
        )
        self._length, self._breaks, self._start = length, breaks, start

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._at, self._steps = np.array([self._start, 0.0]), 0
        return self._seen(), {"instruction": "push the slider", **self._info()}

    def step(self, action: Any) -> Any:
        self._steps += 1
        if self._breaks and self._steps == 10:
            raise RobotError("the slider is stuck") if self._breaks == "error" else KeyError("bug")
        self._at = self._at + STEP * np.clip(np.asarray(action, np.float64), -1, 1)
        info = self._info()
        return self._seen(), 0.5, info["success"], self._steps >= self._length, info

    def coordinates(self) -> Any:
        return self._at.copy()

    def action_towards(self, targets: Any) -> Any:
        return np.clip((np.asarray(targets) - self._at) / STEP, -1, 1).astype(np.float32)

    def _seen(self) -> dict[str, Any]:
        picture = np.full((*SIZE, 3), shade(self._at[0]), np.uint8)
        return {"state": self._at.astype(np.float32), "cam_high": picture}

    def _info(self) -> dict[str, Any]:
        return {"progress": float(self._at[0]), "success": bool(self._at[0] >= 1.0)}


if "toy/Slider-v0" not in registry:
    register("toy/Slider-v0", entry_point="toy_slider:Slider")
