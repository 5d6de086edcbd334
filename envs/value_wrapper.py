"""A Gymnasium wrapper that tells after every step how far the task has come.

It pushes the pictures of each step into the same stream that the live node and offline scoring
use, so the numbers are theirs to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from robovalue_ros.contracts.errors import ConfigError, nearest
from robovalue_ros.contracts.types import Frame
from robovalue_ros.value.stream.core import Encoders
from robovalue_ros.value.stream.live import ValueSample, ValueStream
from robovalue_ros.value.stream.model import ValueModel

RewardMode = Literal["keep", "add", "replace"]
FLAGS = ("value", "stall", "regression", "unknown", "declared")


class ValueReward(gymnasium.Wrapper, RecordConstructorArgs):
    """Puts `value`, `stall`, `regression`, `unknown` and `declared` into `info`.

    model: a value model, or the file that holds one. cameras: camera of the model -> key of the
    observation; without it they have the same names. An observation that is one picture serves
    the only camera. reward: "keep" leaves it, "replace" takes the change of value instead, "add"
    adds that change: scale * (gamma * value after - value before). step_s: time between two steps;
    without it one over the environment's `render_fps`. encoders: by camera, for a model that is
    not in a file and needs them. Raises ConfigError, and DataError for a damaged file.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        model: ValueModel | str | Path,
        *,
        cameras: Mapping[str, str] | None = None,
        reward: RewardMode = "keep",
        scale: float = 1.0,
        gamma: float = 1.0,
        step_s: float | None = None,
        encoders: Encoders | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, _disable_deepcopy=True, model=model, cameras=cameras, reward=reward, scale=scale,
            gamma=gamma, step_s=step_s, encoders=encoders,
        )  # fmt: skip
        gymnasium.Wrapper.__init__(self, env)
        if reward not in ("keep", "add", "replace"):
            raise ConfigError(f"reward is {reward!r}", "keep, add or replace")
        self._reward, self._scale, self._gamma = reward, float(scale), float(gamma)
        self._stream = _stream(model, encoders)
        self._keys = _keys(env.observation_space, self._stream.model.cameras, cameras)
        self._step_ns = _step_ns(env, step_s)
        self._steps = 0
        self._value = 0.0

    @property
    def stream(self) -> ValueStream:
        """The stream that the pictures go into."""
        return self._stream

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode of the environment and of the stream."""
        seen, info = self.env.reset(seed=seed, options=options)
        self._stream.reset()
        self._steps = 0
        sample = self._push(seen)
        return seen, {**info, **_told(sample)}

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step the environment and push what it shows."""
        before = self._value
        seen, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        sample = self._push(seen)
        if self._reward != "keep":
            change = self._scale * (self._gamma * sample.value - before)
            reward = change if self._reward == "replace" else float(reward) + change
        return seen, reward, terminated, truncated, {**info, **_told(sample)}

    def _push(self, seen: Any) -> ValueSample:
        images = {
            camera: np.asarray(seen if key is None else seen[key])
            for camera, key in self._keys.items()
        }
        sample = self._stream.push(Frame(self._steps * self._step_ns, images))
        self._value = sample.value
        return sample


def _stream(model: ValueModel | str | Path, encoders: Encoders | None) -> ValueStream:
    if isinstance(model, ValueModel):
        return ValueStream(model, encoders)
    from robovalue_ros.wiring import open_value_stream

    return open_value_stream(Path(model))


def _told(sample: ValueSample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in FLAGS}


def _keys(
    space: spaces.Space[Any], known: tuple[str, ...], cameras: Mapping[str, str] | None
) -> dict[str, str | None]:
    """Return the observation's key of each camera; None for an observation that is the picture."""
    if _is_picture(space):
        if len(known) != 1 or cameras is not None:
            raise ConfigError(
                "the observation is one picture without a name",
                f"a dictionary with the cameras {', '.join(known)}",
            )
        return {known[0]: None}
    parts = dict(space.spaces) if isinstance(space, spaces.Dict) else {}
    wanted = dict.fromkeys(known) if cameras is None else dict(cameras)
    keys: dict[str, str | None] = {}
    for camera, key in wanted.items():
        if camera not in known:
            raise ConfigError(
                f"the value model does not know the camera {camera!r}", hint=nearest(camera, known)
            )
        name = camera if key is None else key
        if name not in parts or not _is_picture(parts[name]):
            pictures = [part for part, inner in parts.items() if _is_picture(inner)]
            raise ConfigError(
                f"the observation has no picture {name!r} (it has: {', '.join(pictures) or 'none'})",
                f"one for the model's camera {camera!r}",
                "Pass cameras={camera of the model: key of the observation}.",
            )
        keys[camera] = name
    if not keys:
        raise ConfigError("cameras is empty", f"at least one of {', '.join(known)}")
    return keys


def _is_picture(space: spaces.Space[Any]) -> bool:
    return (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[2] == 3
    )


def _step_ns(env: gymnasium.Env[Any, Any], step_s: float | None) -> int:
    if step_s is None:
        rate = env.metadata.get("render_fps")
        if not rate:
            raise ConfigError(
                "the environment does not tell its rate (render_fps)", "step_s, seconds per step"
            )
        step_s = 1.0 / float(rate)
    if not step_s > 0:
        raise ConfigError(f"step_s is {step_s}", "a positive number of seconds")
    return round(step_s * 1e9)
