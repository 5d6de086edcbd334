"""The weights-free encoder: what it computes, its id, and how encoders are chosen by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robovalue_ros.backends.encoders.choice import EncoderChoice, encoder_config
from robovalue_ros.backends.encoders.config import DinoEncoderConfig
from robovalue_ros.backends.encoders.frame_bank import FrameBank
from robovalue_ros.backends.encoders.pixels import PixelsEncoder
from robovalue_ros.backends.encoders.preprocess import CropEncoder
from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.contracts.frames import ArrayFrames
from robovalue_ros.value.embed import prefix_indices
from robovalue_ros.value.pixels.network import HIDDEN, PixelNetwork
from robovalue_ros.value.pixels.training import initial_weights
from robovalue_ros.wiring import make_encoder, make_encoders

CAMERAS = ("table", "wrist")
UNIT = np.float32(1 / 255)


@pytest.fixture(scope="module")
def network() -> PixelNetwork:
    return PixelNetwork(CAMERAS, initial_weights(CAMERAS, np.random.default_rng(0)))


def test_vectors_are_the_hidden_units_with_the_other_camera_dark(network) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (9, 90, 120, 3), dtype=np.uint8)
    encoder = PixelsEncoder(network, 1)
    assert isinstance(encoder, CropEncoder) and encoder.dim == HIDDEN
    bank = FrameBank(encoder.crop, 1 << 20)
    indices = np.stack([prefix_indices(stop, encoder.clip_frames) for stop in range(1, 10)])
    assert indices.tolist() == [[0, t] for t in range(9)]
    crops = bank.gather("e", "wrist", ArrayFrames(frames), indices.reshape(-1))
    assert bank.nbytes == 9 * 64 * 64 * 3
    vectors = encoder.encode_crops(crops.reshape(9, 2, 64, 64, 3))
    np.testing.assert_array_equal(vectors, encoder.encode(frames[indices]))
    small = [encoder.crop(frame) * UNIT for frame in frames]
    begun = network.begin(1, small[0])
    seen = [network.look(1, picture, begun) for picture in small]
    wanted = np.stack([network.answer([None, part]).hidden for part in seen])
    np.testing.assert_array_equal(vectors, wanted)
    assert len(np.unique(vectors, axis=0)) == 9


def test_clips_of_several_episodes_keep_their_own_beginning(network) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    clips = frames[[[0, 1], [2, 1], [2, 3], [0, 1]]]
    vectors = PixelsEncoder(network, 0).encode(clips)
    assert not np.array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[3])


def test_the_id_names_weights_and_camera(network) -> None:
    ids = {PixelsEncoder(network, index).encoder_id for index in range(2)}
    other = PixelNetwork(CAMERAS, initial_weights(CAMERAS, np.random.default_rng(9)))
    ids.add(PixelsEncoder(other, 0).encoder_id)
    assert len(ids) == 3 and all(text.startswith("pixels-") for text in ids)
    again = PixelNetwork(CAMERAS, {k: v.copy() for k, v in network.arrays.items()})
    assert PixelsEncoder(again, 0).encoder_id == PixelsEncoder(network, 0).encoder_id
    with pytest.raises(ContractError, match="camera_index"):
        PixelsEncoder(network, 2)


def test_encoders_are_found_by_name(network, dinov2, tmp_path: Path) -> None:
    made = make_encoders(EncoderChoice(), CAMERAS[::-1], network)
    assert list(made) == ["wrist", "table"]
    assert made["wrist"].encoder_id == PixelsEncoder(network, 1).encoder_id
    choice = EncoderChoice("dinov2", dinov2[1], num_frames=3, pooling="mean")
    both = make_encoders(choice, CAMERAS)
    assert both["table"] is both["wrist"] and both["table"].clip_frames == 3
    assert encoder_config(choice) == DinoEncoderConfig(dinov2[1], 3, "mean")
    with pytest.raises(ConfigError, match="value fit"):
        make_encoders(EncoderChoice(), CAMERAS)
    with pytest.raises(ConfigError, match=r"'tabel'.*'table'"):
        make_encoders(EncoderChoice(), ["tabel"], network)
    with pytest.raises(ConfigError, match="--weights"):
        make_encoders(EncoderChoice("vjepa2"), CAMERAS)
    with pytest.raises(ConfigError, match="no setting heads"):
        encoder_config(EncoderChoice("siglip", tmp_path, heads=2))
    with pytest.raises(ConfigError, match="dinov"):
        make_encoder("dino", None)
