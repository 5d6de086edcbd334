"""V-JEPA 2: both published layouts, strict conversion, damage, and rows that keep to themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robovalue_ros.backends.encoders.config import RunConfig, VJepa2EncoderConfig
from robovalue_ros.backends.encoders.preprocess import CropEncoder
from robovalue_ros.backends.encoders.vjepa2 import VJepa2Encoder, build_network, build_vjepa2
from robovalue_ros.backends.encoders.vjepa2_weights import read_vjepa2
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError

VECTORS = Path(__file__).parents[1] / "vectors" / "data"
Clips = Callable[[int, int], np.ndarray]
State = dict[str, torch.Tensor]


def build(weights: Path, **options: Any) -> VJepa2Encoder:
    from_file = {"img_size": 32, "num_frames": 4, "heads": 2} if weights.is_file() else {}
    return build_vjepa2(VJepa2EncoderConfig(weights, **{**from_file, **options}))


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.usefixtures("transformers")
def test_published_weights_give_the_published_tokens() -> None:
    shape, tensors = read_vjepa2(VECTORS / "vjepa2_tiny_a.pt", 64, 8, 4)
    assert (shape.width, shape.depth, shape.patch, shape.tubelet, shape.mlp_ratio) == (
        48, 3, 16, 2, 4,
    )  # fmt: skip
    network = build_network(shape).eval()
    network.load_state_dict(tensors, assign=True)
    with np.load(VECTORS / "vjepa2_tiny_a_io.npz") as expected:
        video = torch.from_numpy(expected["video"].astype(np.float32)).transpose(1, 2)
        with torch.inference_mode():
            tokens = network(video.contiguous()).last_hidden_state
        np.testing.assert_allclose(tokens.numpy(), expected["tokens"], atol=1e-4)
        np.testing.assert_allclose(tokens.mean(1).numpy(), expected["embedding"], atol=1e-4)


def test_the_embedding_is_the_mean_over_the_tokens_of_transformers(
    vjepa2_model: Any, vjepa2_folder: Path, clips: Clips
) -> None:
    encoder = build(vjepa2_folder)
    batch = clips(3, 4)
    vectors = encoder.encode(batch)
    assert isinstance(encoder, CropEncoder)
    assert vectors.shape == (3, 24) and vectors.dtype == np.float32
    crops = np.stack([[encoder.crop(frame) for frame in clip] for clip in batch])
    assert crops.shape == (3, 4, 32, 32, 3)
    mean, std = (torch.tensor(getattr(encoder.crop, name)) for name in ("mean", "std"))
    pixels = ((torch.from_numpy(crops) / 255 - mean) / std).permute(0, 1, 4, 2, 3).contiguous()
    with torch.inference_mode():
        wanted = vjepa2_model.get_vision_features(pixels).mean(1).numpy()
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    assert np.array_equal(encoder.encode_crops(crops), vectors)


def test_both_layouts_and_every_reload_give_the_same_bits(
    vjepa2_folder: Path, vjepa2_file: Path, published: State, clips: Clips, tmp_path: Path
) -> None:
    bare = saved(tmp_path / "bare.pt", {k.removeprefix("module."): v for k, v in published.items()})
    torch.save({"encoder": published}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    encoders = [
        build(path)
        for path in (vjepa2_folder, vjepa2_folder, vjepa2_file, bare, tmp_path / "old.pt")
    ]
    results = [encoder.encode(clips(2, 4)) for encoder in encoders]
    assert all(np.array_equal(result, results[0]) for result in results)
    assert len({encoder.encoder_id for encoder in encoders}) == 1


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    batch_size=st.sampled_from([1, 3]),
    devices=st.sampled_from([("cpu",), ("cpu", "cpu")]),
)
def test_a_row_depends_on_its_clip_only(
    vjepa2_file: Path, clips: Clips, rows: list[int], batch_size: int, devices: tuple[str, ...]
) -> None:
    batch = clips(7, 4)
    encoder = build(vjepa2_file, run=RunConfig(devices=devices, batch_size=batch_size))
    alone = np.concatenate([encoder.encode(batch[i : i + 1]) for i in range(7)])
    assert np.array_equal(encoder.encode(batch[rows]), alone[rows])


def test_no_clips_give_no_rows(vjepa2_file: Path, clips: Clips) -> None:
    assert build(vjepa2_file).encode(clips(2, 4)[:0]).shape == (0, 24)


def test_the_id_tells_what_changes_a_vector(
    vjepa2_file: Path, published: State, tmp_path: Path
) -> None:
    base = build(vjepa2_file)
    assert base.encoder_id.startswith("vjepa2-24x2-32px4f-float32-")
    nudged = {**published, "module.backbone.norm.bias": published["module.backbone.norm.bias"] + 1}
    others = [
        build(saved(tmp_path / "nudged.pt", nudged)),
        build(vjepa2_file, img_size=48),
        build(vjepa2_file, num_frames=6),
        build(vjepa2_file, heads=1),
    ]
    assert len({base.encoder_id, *(other.encoder_id for other in others)}) == 5
    same = build(vjepa2_file, run=RunConfig(devices=("cpu",), batch_size=5))
    assert same.encoder_id == base.encoder_id


def test_loading_draws_nothing_from_the_callers_generator(
    vjepa2_file: Path, vjepa2_folder: Path, clips: Clips
) -> None:
    before = torch.get_rng_state()
    for path in (vjepa2_file, vjepa2_folder):
        build(path).encode(clips(1, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_only_the_encoder_is_built(vjepa2_model: Any, vjepa2_file: Path) -> None:
    shape, _ = read_vjepa2(vjepa2_file, 32, 4, 2)
    names = build_network(shape).state_dict().keys()
    assert names == vjepa2_model.encoder.state_dict().keys()


PREFIX = "module.backbone."


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop(PREFIX + "norm.weight"), "missing: layernorm.weight"),
        (lambda s: s.pop(PREFIX + "blocks.1.attn.qkv.bias"), "layer.1.attention.key.bias"),
        (lambda s: s.update({PREFIX + "pos_embed": torch.zeros(1, 8, 24)}), "unknown: .*pos_embed"),
        (lambda s: s.update({PREFIX + "blocks.1.mlp.fc3.bias": torch.zeros(3)}), "fc3"),
        (lambda s: s.update({PREFIX + "blocks.7.norm1.bias": torch.zeros(24)}), "layer.7|layer.2"),
        (lambda s: s.update({PREFIX + "norm.bias": torch.zeros(5)}), r"layernorm.bias \(5,\) inst"),
        (lambda s: s.update({"norm.bias": torch.zeros(24)}), "norm.bias is there twice"),
        (lambda s: s.update({PREFIX + "blocks.0.attn.qkv.bias": torch.zeros(70)}), "multiple of 3"),
        (lambda s: s.update({PREFIX + "norm.bias": 3}), "no tensors: module.backbone.norm.bias"),
        (lambda s: s.pop(PREFIX + "patch_embed.proj.weight"), "no V-JEPA 2 encoder"),
        (lambda s: s.clear(), "no tensors"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    published: State, tmp_path: Path, change: Callable[[Any], object], named: str
) -> None:
    state = dict(published)
    change(state)
    path = saved(tmp_path / "wrong.pt", {"encoder": state})
    with pytest.raises(DataError, match=named) as caught:
        build(path)
    assert str(path) in str(caught.value)


def test_folders_are_strict_too(vjepa2_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def folder(name: str, change: Callable[[State], object]) -> Path:
        new = tmp_path / name
        new.mkdir()
        (new / "config.json").write_bytes((vjepa2_folder / "config.json").read_bytes())
        tensors = load_file(vjepa2_folder / "model.safetensors")
        change(tensors)
        save_file(tensors, new / "model.safetensors")
        return new

    with pytest.raises(DataError, match=r"missing: layernorm\.bias"):
        build(folder("missing", lambda s: s.pop("encoder.layernorm.bias")))
    with pytest.raises(DataError, match="unknown: surprise"):
        build(folder("extra", lambda s: s.update(surprise=torch.zeros(1))))
    # The predictor is neither needed nor checked, with or without it the id is the same.
    bare = folder("bare", lambda s: [s.pop(k) for k in list(s) if k.startswith("predictor.")])
    assert build(bare).encoder_id == build(vjepa2_folder).encoder_id


@pytest.mark.thorough
def test_nonsense_in_config_json_is_an_error_with_its_name(
    vjepa2_folder: Path, clips: Clips, tmp_path: Path, thorough: bool
) -> None:
    content = json.loads((vjepa2_folder / "config.json").read_text())
    (tmp_path / "model.safetensors").symlink_to(vjepa2_folder / "model.safetensors")
    path = tmp_path / "config.json"
    refused = 0
    junks = (None, True, -1, 0, 3, 2.5, "x", [], {"a": 1})
    for place, key in enumerate(content):
        # Each key three kinds of nonsense, each kind every third key.
        for junk in junks if thorough else junks[place % 3 :: 3]:
            path.write_text(json.dumps({**content, key: junk}), encoding="utf-8")
            try:
                vectors = build(tmp_path).encode(clips(1, 4))
            except (DataError, ConfigError) as problem:
                refused += 1
                assert str(tmp_path) in str(problem)
            except ContractError:
                assert key == "frames_per_clip"
            else:
                assert vectors.shape == (1, 24)
    assert refused > (40 if thorough else 12)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(marker),)

    for zipped in (True, False):
        path = tmp_path / f"bomb{zipped}.pt"
        torch.save({"encoder": Bomb()}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(DataError, match="not loaded") as caught:
            build(path)
        assert str(path) in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_named(
    vjepa2_file: Path, vjepa2_folder: Path, tmp_path: Path, share: float
) -> None:
    content = vjepa2_file.read_bytes()
    short = tmp_path / "short.pt"
    short.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"short\.pt"):
        build(short)
    content = (vjepa2_folder / "model.safetensors").read_bytes()
    (tmp_path / "config.json").write_bytes((vjepa2_folder / "config.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"model\.safetensors.*damaged"):
        build(tmp_path)


def test_missing_weights_say_what_was_expected_and_how_to_get_it(tmp_path: Path) -> None:
    for path in (tmp_path / "vitg-384.pt", tmp_path):
        with pytest.raises(DataError, match=r"model\.safetensors.*hf download") as caught:
            build(path, heads=2)
        assert str(path) in str(caught.value)


def test_an_index_may_not_point_outside_its_folder(vjepa2_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((vjepa2_folder / "config.json").read_bytes())
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "../model.safetensors"}}', encoding="utf-8")
    with pytest.raises(DataError, match="outside its folder"):
        build(tmp_path)


def test_sharded_folders_read_like_whole_ones(
    vjepa2_model: Any, vjepa2_folder: Path, tmp_path: Path
) -> None:
    vjepa2_model.save_pretrained(tmp_path, max_shard_size="10KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert build(tmp_path).encoder_id == build(vjepa2_folder).encoder_id
    next(tmp_path.glob("model-*.safetensors")).unlink()
    with pytest.raises(DataError, match="does not exist"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": None}, "number of heads"),
        ({"heads": 7}, "heads is 7"),
        ({"img_size": 40}, "img_size is 40"),
        ({"num_frames": 5}, "num_frames is 5"),
        ({"run": RunConfig(precision="float16", devices=("cpu",))}, "float32 or auto"),
        ({"run": RunConfig(devices=("warp",))}, "devices names 'warp'"),
        ({"run": RunConfig(devices=("cuda:77",))}, "devices names 'cuda:77'"),
        ({"run": RunConfig(devices=())}, "devices is empty"),
    ],
)
def test_options_that_cannot_work(vjepa2_file: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(vjepa2_file, **options)


def test_clips_of_another_shape_are_refused(vjepa2_file: Path, clips: Clips) -> None:
    encoder = build(vjepa2_file)
    for wrong in (clips(2, 3), clips(2, 4)[0], clips(2, 4).astype(np.float32)):
        with pytest.raises(ContractError, match="clips"):
            encoder.encode(wrong)
    with pytest.raises(ContractError, match="crops"):
        encoder.encode_crops(clips(2, 4))


def test_numbers_that_overflow_are_an_error_not_a_vector(
    published: State, clips: Clips, tmp_path: Path
) -> None:
    broken = {**published, PREFIX + "norm.bias": torch.full((24,), torch.inf)}
    with pytest.raises(ConfigError, match="NaN or infinite"):
        build(saved(tmp_path / "inf.pt", broken)).encode(clips(1, 4))


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device and `pytest -m gpu`")
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_a_gpu_gives_nearly_the_same(vjepa2_file: Path, clips: Clips, precision: Any) -> None:
    on_gpu = build(vjepa2_file, run=RunConfig(devices=("all",), precision=precision))
    on_cpu = build(vjepa2_file, run=RunConfig(devices=("cpu",)))
    expected = on_cpu.encode(clips(5, 4))
    scale = np.abs(expected).max()
    tolerance = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}[precision]
    np.testing.assert_allclose(on_gpu.encode(clips(5, 4)), expected, atol=tolerance * scale)
