"""The network: shapes, what it may see, and the same answers however it is asked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.segment.tokenizer.classes import class_displacements, displacement_classes
from robovalue_ros.segment.tokenizer.config import LossConfig, TokenizerConfig
from robovalue_ros.segment.tokenizer.encoding import TokenizerEncoder
from robovalue_ros.segment.tokenizer.losses import crowding, displacement_loss, over_views
from robovalue_ros.segment.tokenizer.metrics import code_counts, usage
from robovalue_ros.segment.tokenizer.motion_errors import motion_errors
from robovalue_ros.segment.tokenizer.network import MotionTokenizer, new_tokenizer
from robovalue_ros.segment.tokenizer.starting import fit_starting_weights
from robovalue_ros.segment.tracking import WindowEncoder

SHAPE = TokenizerConfig(num_tracks=9, steps=5, hidden_dim=16, num_heads=2, codebook_size=256)


def build(**other: object) -> MotionTokenizer:
    shape = dataclasses.replace(SHAPE, **other)
    return new_tokenizer(shape, torch.Generator().manual_seed(0)).eval()


def velocities(count: int = 3, views: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 0.5 * torch.randn(count, views, 5, 9, 2, generator=generator)


@pytest.mark.parametrize("per_view", [False, True])
def test_scores_are_those_of_the_layers_one_by_one(per_view: bool) -> None:
    model = build(views=("a", "b"), per_view=per_view).decoder
    x = torch.randn(2, 2, 5, 16)
    with torch.no_grad():
        spread = x[:, :, :, None].expand(-1, -1, -1, 9, -1)
        point = (0.2 * model.track_pos_emb.weight).expand_as(spread)
        view = (0.2 * model.view_emb.weight)[:, None, None].expand_as(spread)
        slow = model.decoder_proj(spread + model.decoder_mlp(torch.cat([spread, point, view], -1)))
        torch.testing.assert_close(model.scores(x), slow, rtol=1e-4, atol=1e-5)
        some = torch.tensor([7, 2])
        torch.testing.assert_close(model.scores(x, some), slow[..., some, :], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("attention", "seen"),
    [("causal", [0, 1, 1, 1, 1]), ("diag", [0, 1, 0, 0, 0]), ("full", [1] * 5)],
)
def test_a_step_sees_what_its_attention_allows(attention: str, seen: list[int]) -> None:
    model = build(attention=attention)
    one = velocities(1)
    other = one.clone()
    other[:, :, 1] += 1.0
    with torch.no_grad():
        change = (model.encoder(one) - model.encoder(other)).abs().amax((0, 2))
    assert (change > 1e-6).int().tolist() == seen


@pytest.mark.parametrize(("per_view", "tokens"), [(False, 5), (True, 10)])
def test_two_cameras(per_view: bool, tokens: int) -> None:
    model = build(views=("a", "b"), per_view=per_view)
    told, codes, scores = model(velocities(views=2))
    assert told.shape == (3, 2, 5, 9, 2) and codes.shape == (3, tokens)
    assert scores.shape == (3, 2 * 5 * 9, 225)
    with pytest.raises(ContractError, match="velocity"):
        model(velocities(views=1))


def test_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    one = build().state_dict()
    torch.manual_seed(2)
    other = build().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_stream_gets_the_same_tokens_alone_and_together() -> None:
    encoder = TokenizerEncoder(build())
    assert isinstance(encoder, WindowEncoder)
    windows = velocities(4)[:, 0].numpy()
    together = encoder.encode_many(windows)
    for window, codes in zip(windows, together, strict=True):
        alone = encoder.encode(window)
        assert alone.prequant.shape == alone.quantized.shape == (5, 16)
        for one, other in zip(alone, codes, strict=True):
            assert one.tobytes() == other.tobytes()
    with pytest.raises(ContractError, match="velocity"):
        encoder.encode(windows[0, :3])


def test_new_weights_that_fit_the_data_tell_small_motions_apart() -> None:
    small = 0.02 * velocities(64)
    counts = []
    for fit in (False, True):
        model = build()
        if fit:
            fit_starting_weights(model, small)
        codes = model.encode(small).codes.numpy()
        counts.append(usage(code_counts(codes, 240))["codebook_perplexity"])
    assert counts[1] > 3 * counts[0]
    still = build()
    before = still.encoder.encoder_proj.weight.clone()
    fit_starting_weights(still, torch.zeros_like(small))
    assert torch.equal(before, still.encoder.encoder_proj.weight)


def test_displacements_survive_their_classes() -> None:
    size = (60, 80)
    moved = torch.tensor([[-7, 7], [0, 0], [3, -2], [7, -7]])
    start = torch.full((4, 2), 20.0)
    sides = torch.tensor(size)
    points = torch.stack([start, start + moved]) / (sides / 2) - 1
    classes = displacement_classes(points, size)
    assert classes[0, 1] == 112
    back = class_displacements(classes[0], size) * sides / 2
    torch.testing.assert_close(back, moved.float())
    far = torch.stack([start, start + 15]) / (sides / 2) - 1
    assert torch.all(displacement_classes(far, size) == 224)


def test_a_gamma_of_zero_is_zero() -> None:
    scores, classes = torch.randn(1, 6, 225), torch.randint(225, (1, 1, 2, 3))
    plain = LossConfig(use_focal=False, class_weight_mode="none")
    flat = LossConfig(use_focal=True, focal_gamma=0, focal_alpha=1, class_weight_mode="none")
    torch.testing.assert_close(
        displacement_loss(scores, classes, plain), displacement_loss(scores, classes, flat)
    )


def test_cameras_weigh_as_told() -> None:
    loss = torch.tensor([[[[1.0]], [[3.0]]]])
    assert float(over_views(loss, None)) == 4.0
    assert float(over_views(loss, (1.0, 0.5))) == 2.5


def test_crowding_has_a_gradient_that_spreads() -> None:
    levels = torch.tensor([8, 5], dtype=torch.int32)
    low = torch.full((64, 2), 0.1) + 0.05 * torch.randn(64, 2)
    low.requires_grad_(True)
    optimizer = torch.optim.SGD([low], lr=20.0)
    first = float(crowding(low, levels).detach())
    for _ in range(50):
        optimizer.zero_grad()
        crowding(low, levels).backward()
        optimizer.step()
    assert 0.0 <= float(crowding(low, levels).detach()) < 0.6 * first <= 1.0


def test_numbers_of_a_code_book() -> None:
    told = usage(code_counts(np.array([[0, 0, 1], [1, 2, 2]]), 15))
    assert told["codebook_perplexity"] == pytest.approx(3.0)
    assert told["codebook_perplexity_norm"] == pytest.approx(0.5)
    assert told["unique_codes"] == 3 and told["dead_codes_count"] == 12
    assert usage(np.zeros(15, np.int64))["codebook_perplexity"] == 0.0
    with pytest.raises(ContractError, match=r"0\.\.14"):
        code_counts(np.array([15]), 15)


def test_errors_are_measured_along_each_side() -> None:
    true = torch.zeros(1, 4, 2)
    told = torch.tensor([[[2 / 60, 0.0], [0.0, 2 / 80], [0.0, 0.0], [0.0, 0.0]]])
    found = motion_errors(told, true, (60, 80))
    assert float(found["normalized_accuracy"]) == 0.75  # two of eight numbers are a pixel off
    assert float(found["delta_auc"]) == pytest.approx((0.5 + 9 * 1.0) / 10)


def test_a_way_is_compared_with_a_way_whatever_the_time() -> None:
    there = torch.tensor([0.1, 0.0]).expand(5, 3, 2)  # five steps of three points
    late = torch.cat([torch.zeros(1, 3, 2), there[:4]])
    beside = there.clone()
    beside[0, 0, 1] = 0.3  # one point goes beside its way from the first step on
    found = [motion_errors(told, there, (60, 80))["cross_track"] for told in (there, late, beside)]
    assert float(found[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(found[1]) == pytest.approx(0.1 / 5)  # only the start lies off the way
    assert float(found[2]) == pytest.approx(0.3 / 3)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_a_gpu_gives_nearly_the_same_tokens(precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    windows = velocities(16)[:, 0].numpy()
    here = TokenizerEncoder(build()).encode_many(windows)
    there = TokenizerEncoder(build(), "cuda", precision).encode_many(windows)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(one.prequant, other.prequant, atol=0.05)
    same = np.mean([one.codes == other.codes for one, other in zip(here, there, strict=True)])
    assert same > 0.9
