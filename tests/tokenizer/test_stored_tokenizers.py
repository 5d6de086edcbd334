"""Tokenizers from files: ours, those of today's tools, and everything that is neither."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from robovalue_ros.backends.motion_tokenizer import KIND, checkpoint_path, load_tokenizer
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.segment.tokenizer.config import TokenizerConfig
from robovalue_ros.segment.tokenizer.network import MotionTokenizer, new_tokenizer
from robovalue_ros.training.checkpoints import with_prefix, write_checkpoint

SHAPE = TokenizerConfig(
    num_tracks=9, steps=5, hidden_dim=16, num_heads=2, codebook_size=64, img_shape=(60, 80),
    attention="full", decoder_pos_scale=0.3,
)  # fmt: skip
STORED = {
    "hidden_dim": 16, "num_heads": 2, "num_layers": 2, "codebook_size": 64, "img_shape": [60, 80],
    "cond_cameraviews": ["default"], "causal_encoder": False, "decoder_pos_scale": 0.3,
    "attn_pdrop": 0.1, "track_pred_horizon": 6, "num_epochs": 100, "run_name": "x",
}  # fmt: skip


def build(**other: Any) -> MotionTokenizer:
    shape = dataclasses.replace(SHAPE, **other)
    return new_tokenizer(shape, torch.Generator().manual_seed(0)).eval()


def write_pt(path: Path, model: MotionTokenizer, compiled: bool = True, **other: Any) -> Path:
    prefix = "_orig_mod." if compiled else ""
    weights = {f"{prefix}{name}": value for name, value in model.state_dict().items()}
    content = {"model": weights, "optimizer": {"state": {}}, "epoch": 7, "val_loss": 0.5,
               "config": STORED, "wandb_run_id": None, **other}  # fmt: skip
    torch.save(content, path)
    return path


@pytest.mark.parametrize("compiled", [True, False])
def test_a_stored_pt_is_loaded_with_all_its_weights(tmp_path: Path, compiled: bool) -> None:
    model = build()
    stored = load_tokenizer(write_pt(tmp_path / "best.pt", model, compiled))
    assert stored.config == dataclasses.replace(SHAPE, grid="reference")
    assert stored.about["epoch"] == 7 and stored.about["val_loss"] == 0.5
    velocity = 0.1 * torch.randn(2, 1, 5, 9, 2)
    for one, other in zip(model(velocity), stored.network(velocity), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "other",
    [
        {"views": ("left", "right"), "per_view": True}, {"views": ("left", "right")},
        {"attention": "causal", "num_layers": 4}, {"attention": "diag", "codebook_size": 4096},
    ],
)  # fmt: skip
def test_what_the_weights_tell_needs_no_options(tmp_path: Path, other: dict[str, Any]) -> None:
    model = build(**other)
    options = {"num_heads": 2, "codebook_size": model.config.codebook_size, "img_shape": [60, 80],
               "cond_cameraviews": list(model.config.views), "decoder_pos_scale": 0.3}  # fmt: skip
    path = write_pt(tmp_path / "a.pt", model, config={})
    stored = load_tokenizer(path, options=options)
    assert stored.config == dataclasses.replace(model.config, grid="reference")


def test_bare_weights_tell_their_code_book_or_say_that_they_do_not(tmp_path: Path) -> None:
    path = tmp_path / "bare.pt"
    torch.save(build().state_dict(), path)
    with pytest.raises(ConfigError, match="does not tell its codebook_size"):
        load_tokenizer(path)
    assert (
        load_tokenizer(path, options={"codebook_size": 16, "num_heads": 2}).config.true_size == 15
    )
    with pytest.raises(ConfigError, match="2 dimensions"):
        load_tokenizer(path, options={"codebook_size": 512, "num_heads": 2})
    torch.save(build(codebook_size=4096).state_dict(), path)
    assert load_tokenizer(path, options={"num_heads": 2}).config.true_size == 4375


def test_masks_that_are_added_are_understood(tmp_path: Path) -> None:
    model = build(attention="causal")
    weights = {
        name: torch.where(value != 0, 0.0, -torch.inf) if name.endswith("attn_mask") else value
        for name, value in model.state_dict().items()
    }
    torch.save({"model": weights, "config": STORED}, tmp_path / "a.pt")
    stored = load_tokenizer(tmp_path / "a.pt")
    velocity = 0.1 * torch.randn(1, 1, 5, 9, 2)
    assert stored.config.attention == "causal"
    assert torch.equal(model(velocity)[2], stored.network(velocity)[2])


def test_every_missing_and_unknown_weight_is_named(tmp_path: Path) -> None:
    weights = build().state_dict()
    del weights["decoder.decoder_mlp.2.bias"]
    weights["image_proj.weight"] = torch.zeros(2)
    torch.save({"model": weights, "config": STORED}, tmp_path / "a.pt")
    with pytest.raises(
        DataError, match=r"1 missing: decoder\.decoder_mlp\.2\.bias; 1 unknown: image"
    ):
        load_tokenizer(tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="no motion tokenizer"):
        torch.save({"model": {"layer.weight": torch.zeros(2)}}, tmp_path / "b.pt")
        load_tokenizer(tmp_path / "b.pt")


def test_a_network_that_looks_at_pictures_is_refused(tmp_path: Path) -> None:
    path = write_pt(tmp_path / "a.pt", build(), config={**STORED, "cond_on_img": True})
    with pytest.raises(ConfigError, match="motion alone"):
        load_tokenizer(path)


class Surprise:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must never run",)


def test_a_file_with_program_code_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_pt(tmp_path / "a.pt", build(), extra=Surprise())
    with pytest.raises(DataError, match="not loaded"):
        load_tokenizer(path)
    assert capsys.readouterr().out == ""


def write_ours(path: Path, model: MotionTokenizer, **other: Any) -> Path:
    about = {"kind": KIND, "config": to_mapping(model.config), "epoch": 3, **other}
    write_checkpoint(path, with_prefix("network.", model.state_dict()), about)
    return path


def test_our_own_files_and_run_folders(tmp_path: Path) -> None:
    model = build()
    write_ours(tmp_path / "latest.safetensors", build(codebook_size=16))
    assert load_tokenizer(tmp_path).config.codebook_size == 16
    write_ours(tmp_path / "best.safetensors", model)
    stored = load_tokenizer(tmp_path)
    assert stored.config == model.config and stored.about["epoch"] == 3
    weights = stored.network.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())


def test_the_folder_of_all_runs_serves_while_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match="holds no checkpoint"):
        load_tokenizer(tmp_path)
    write_ours(tmp_path / "cups" / "best.safetensors", build())
    assert load_tokenizer(tmp_path).config == build().config
    write_ours(tmp_path / "cups_1" / "latest.safetensors", build())
    with pytest.raises(DataError, match=r"holds 2 runs: cups, cups_1.*Name one run"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "how", ["missing", "kind", "config", "cut", "flipped", "suffix", "foreign"]
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.safetensors"
    other = {"kind": {"kind": "poem"}, "config": {"config": {"hidden": 3}}}.get(how, {})
    write_ours(path, build(), **other)
    content = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:-50])
    elif how == "flipped":
        content[-3] ^= 1
        path.write_bytes(content)
    elif how == "suffix":
        path = path.rename(tmp_path / "a.bin")
    elif how == "foreign":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(2)}, str(path))
    with pytest.raises((DataError, ConfigError), match=path.name):
        load_tokenizer(path)


def test_settings_name_a_checkpoint_in_both_ways() -> None:
    assert checkpoint_path({"checkpoint_path": "a/best.pt"}) == Path("a/best.pt")
    assert checkpoint_path({"checkpoint_dir": "a", "checkpoint_name": "b.pt"}) == Path("a/b.pt")
    with pytest.raises(ConfigError, match="checkpoint_dir"):
        checkpoint_path({"checkpoint_dir": "a"})
