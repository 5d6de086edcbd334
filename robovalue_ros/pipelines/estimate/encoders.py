"""The encoders of a run: for its camera roles, for streams, and for other processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.backends.encoders.choice import EncoderChoice, restored_choice
from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.data.value_store.value_model import read_value_model
from robovalue_ros.pipelines.embedding.options import usable_cores
from robovalue_ros.pipelines.embedding.recipe import EncoderRecipe, EncoderSource
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.value.pixels.network import PixelNetwork
from robovalue_ros.value.stream.live import ValueStream
from robovalue_ros.value.stream.model import MATCHING, ValueModel

EncoderMaker = Callable[
    [EncoderChoice, Sequence[str], PixelNetwork | None], Mapping[str, FrameEncoder]
]
"""Builds the encoder of each camera; a door passes `wiring.make_encoders`."""


@dataclass(frozen=True)
class ModelStream:
    """Makes the stream of a stored model that needs no encoders; travels to other processes."""

    file: Path

    def __call__(self) -> ValueStream:
        return ValueStream(read_value_model(self.file).model)


@dataclass(frozen=True)
class PixelsSource:
    """Builds the encoders `pixels` of a stored model. cameras: (role, camera) pairs."""

    file: Path
    cameras: tuple[tuple[str, str], ...]

    def shares(self) -> int:
        return usable_cores()

    def build(self, share: int, shares: int) -> Mapping[str, FrameEncoder]:
        from robovalue_ros.backends.encoders.pixels import PixelsEncoder

        network = read_value_model(self.file).model.network
        assert network is not None, "a model of another kind has no encoder of its own"
        index = network.cameras.index
        return {role: PixelsEncoder(network, index(camera)) for role, camera in self.cameras}


def stream_maker(
    config: EstimateConfig, file: Path, model: ValueModel, make_encoders: EncoderMaker
) -> tuple[Callable[[], ValueStream], bool]:
    """Return what makes streams of a model, and whether other processes can use it too."""
    if model.kind != MATCHING:
        return ModelStream(file), True
    encoders = make_encoders(run_choice(config, file, model), model.cameras, None)
    return lambda: ValueStream(model, encoders), False


def run_choice(
    config: EstimateConfig, file: Path | None, model: ValueModel | None
) -> EncoderChoice:
    """Return the encoder of a run: the one that is named, else the one that the model looks through.

    Raises ConfigError for a model that looks through an encoder and does not tell which.
    """
    choice = config.encoder_choice()
    if choice.encoder != "pixels" or file is None or model is None or model.kind != MATCHING:
        return choice
    told = read_value_model(file).about.get("encoder")
    if not isinstance(told, dict):
        raise ConfigError(
            f"the value model {file} looks through an encoder and does not tell which",
            "that encoder, as --vjepa-ckpt FILE or --encoder NAME --weights FOLDER",
        )
    return restored_choice(told, config.weights, choice.run.devices)


def encoder_source(
    config: EstimateConfig, choice: EncoderChoice, names: Mapping[str, str], model_file: Path | None
) -> EncoderSource | None:
    """Return what builds a run's encoders in other processes; None where none are asked for.

    names: role -> camera.
    """
    if config.embedding.engine == "local":
        return None
    if choice.encoder == "pixels":
        assert model_file is not None, "pixels always come from a model"
        return PixelsSource(model_file.resolve(), tuple(names.items()))
    from robovalue_ros.backends.encoders.choice import encoder_config

    return EncoderRecipe(choice.encoder, encoder_config(choice), tuple(names))
