"""One choice of encoder for a command line, and the configuration that it stands for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from robovalue_ros.backends.encoders.config import Pooling, RunConfig
from robovalue_ros.backends.encoders.registry import ENCODER_CONFIGS
from robovalue_ros.contracts.config import from_mapping, option, to_mapping
from robovalue_ros.contracts.errors import ConfigError

EncoderName = Literal["pixels", "vjepa2", "siglip", "open_clip", "dinov2", "dinov3"]
PIXELS = "pixels"


@dataclass(frozen=True)
class EncoderChoice:
    """Which encoder looks at the frames, and its settings; those that it lacks stay None."""

    encoder: EncoderName = option(
        "pixels",
        "what looks at the pictures: pixels needs no weights and learns from the demonstrations; the "
        "others need --weights",
    )
    weights: Path | None = option(
        None, "weights on this machine: a model folder, or the .pt file of vjepa2"
    )
    img_size: int | None = option(
        None, "vjepa2: side of the input in pixels; none: what the weights say", low=16, high=4096
    )
    num_frames: int | None = option(
        None, "frames per clip; none: what the weights say, 8 for image encoders", low=1, high=1024
    )
    heads: int | None = option(
        None, "vjepa2: attention heads of a .pt file of unusual width", low=1, high=256
    )
    pooling: Pooling | None = option(
        None, "dinov2, dinov3: cls (the default) or the mean over patches"
    )
    run: RunConfig = option(RunConfig, "where and how the encoder's network runs")


def encoder_config(choice: EncoderChoice) -> Any:
    """Return the configuration of the chosen encoder, one of those in ENCODER_CONFIGS.

    Raises ConfigError for weights that are not named and for settings that the encoder lacks. The
    encoder `pixels` has none: it comes from a fitted value model.
    """
    name = choice.encoder
    if name not in ENCODER_CONFIGS:
        raise ConfigError(f"the encoder {name} has no weights of its own", "a fitted value model")
    if choice.weights is None:
        raise ConfigError(
            f"the encoder {name} needs weights", "--weights FOLDER",
            "Weights are never downloaded; --encoder pixels needs none.",
        )  # fmt: skip
    kind = ENCODER_CONFIGS[name]
    known = {item.name for item in dataclasses.fields(kind)}
    given = {
        item.name: getattr(choice, item.name)
        for item in dataclasses.fields(choice)
        if item.name != "encoder" and getattr(choice, item.name) is not None
    }
    for setting in given:
        if setting not in known:
            raise ConfigError(f"the encoder {name} has no setting {setting}", "to leave it out")
    return kind(**given)


def stored_choice(choice: EncoderChoice) -> dict[str, Any]:
    """Return a choice as JSON values that `restored_choice` understands, on any machine.

    The precision is settled here: `auto` could mean another one elsewhere, and other vectors.
    """
    from robovalue_ros.backends.encoders.devices import resolve_devices, resolve_precision

    stored = to_mapping(choice)
    del stored["run"]
    if choice.weights is not None:
        stored["weights"] = str(choice.weights.resolve())
    precision = resolve_precision(choice.run, resolve_devices(choice.run.devices))
    return {**stored, "precision": precision}


def restored_choice(
    stored: Mapping[str, Any], weights: Path | None = None, devices: tuple[str, ...] = ("auto",)
) -> EncoderChoice:
    """Return the choice that `stored_choice` described; raises ConfigError for anything else.

    weights: where they lie on this machine, if elsewhere.
    """
    values = dict(stored)
    run = {"precision": values.pop("precision", "auto"), "devices": list(devices)}
    if weights is not None:
        values["weights"] = str(weights)
    return from_mapping(EncoderChoice, {**values, "run": run}, "the encoder of the value model")
