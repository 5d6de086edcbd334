"""Training of the small network from demonstrations: minutes on one core, torch only here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.value.one_thread import one_thread
from robovalue_ros.value.pixels.augment import vary
from robovalue_ros.value.pixels.network import (
    CHANNELS,
    FEATURES,
    GRID,
    KERNELS,
    STRIDES,
    PixelNetwork,
    network_shapes,
)
from robovalue_ros.value.pixels.scenes import (
    Demonstration,
    Scene,
    SceneShares,
    draw_scene,
    true_scene,
)

if TYPE_CHECKING:
    from torch import Generator, Tensor

HEAT = 2.0
DROPOUT = 0.1
CAMERA_LOST = 0.05  # share of samples in which one camera is dark
DONE_WEIGHT = 0.1
STRAIGHT_FROM = 0.05  # error from which the loss grows linearly, so that odd labels weigh little
DECAY = 1e-4
WARM_UP = 0.1
PAIRED = 0.25  # share of a batch that is looked at twice, a moment apart
APART = (3, 10)  # frames between the two looks
ORDER_WEIGHT = 2.0
ORDER_SHARE = 0.8  # of the true change that shall show, and
ORDER_SURE = 0.03  # no more is asked where the true change is larger


@dataclass(frozen=True)
class TrainingOptions:
    """How long and on what the network trains."""

    steps: int = 1200
    batch: int = 32
    rate: float = 2e-3
    shares: SceneShares = field(default_factory=SceneShares)


def train_network(
    cameras: Sequence[str],
    demos: Sequence[Demonstration],
    options: TrainingOptions,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
) -> PixelNetwork:
    """Return a network trained on demonstrations; `progress` hears the share that is done.

    Runs on one thread, for the same bytes on every machine.
    """
    with one_thread():
        return _trained(cameras, demos, options, rng, progress)


def _trained(
    cameras: Sequence[str],
    demos: Sequence[Demonstration],
    options: TrainingOptions,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None,
) -> PixelNetwork:
    import torch

    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    weights = {
        name: torch.from_numpy(value).requires_grad_(True)
        for name, value in initial_weights(cameras, rng).items()
    }
    groups = [
        {"params": [w for w in weights.values() if w.ndim > 1], "weight_decay": DECAY},
        {"params": [w for w in weights.values() if w.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=options.rate)
    shares = _among_single(options.shares)
    frames = np.array([(d, t) for d, demo in enumerate(demos) for t in range(len(demo.labels))])
    share = np.concatenate([np.full(len(demo.labels), 1.0 / len(demo.labels)) for demo in demos])
    share /= share.sum()  # a slow demonstration counts no more than a quick one
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * learning_rate(step / options.steps)
        picked = frames[rng.choice(len(frames), options.batch, p=share)]
        pairs = int(PAIRED * options.batch)
        scenes = [draw_scene(demos, int(d), int(t), shares, rng) for d, t in picked[pairs:]]
        loss = _loss(weights, draw_pairs(demos, picked[:pairs], rng), scenes, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if progress is not None:
            progress((step + 1) / options.steps)
    return PixelNetwork(cameras, {k: v.detach().numpy().copy() for k, v in weights.items()})


def learning_rate(done: float) -> float:
    """Return the share of the full rate: a straight rise, then half a cosine down to zero."""
    if done < WARM_UP:
        return 0.04 + 0.96 * done / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1.0 - WARM_UP))


def initial_weights(
    cameras: Sequence[str], rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Draw weights uniformly, as wide as one over the root of what a unit listens to."""
    weights = {}
    for name, shape in network_shapes(cameras).items():
        if name.endswith(".heat"):
            weights[name] = np.full(shape, HEAT, np.float32)
            continue
        inputs = int(np.prod(shape[:-1])) if len(shape) > 1 else 64
        limit = 1.0 / math.sqrt(inputs)
        weights[name] = rng.uniform(-limit, limit, shape).astype(np.float32)
    return weights


def _among_single(shares: SceneShares) -> SceneShares:
    """Return shares of the scenes that are looked at once, for pairs show true frames only."""
    factor = (1.0 + PAIRED) / (1.0 - PAIRED)
    return SceneShares(factor * shares.put_back, factor * shares.lost, factor * shares.mixed)


def draw_pairs(
    demos: Sequence[Demonstration], picked_P2: NDArray[np.int64], rng: np.random.Generator
) -> list[tuple[Scene, Scene]]:
    """Return frames of demonstrations as they were, each with another one a moment apart."""
    pairs = []
    for demo, frame in ((demos[int(d)], int(t)) for d, t in picked_P2):
        apart = int(rng.integers(APART[0], APART[1] + 1))
        apart = min(apart, len(demo.labels) - 1)
        other = frame + apart if frame + apart < len(demo.labels) else frame - apart
        pairs.append((true_scene(demo, frame), true_scene(demo, max(0, other))))
    return pairs


def _loss(
    weights: dict[str, Tensor],
    pairs: Sequence[tuple[Scene, Scene]],
    scenes: Sequence[Scene],
    generator: Generator,
) -> Tensor:
    """Return how wrong progress is, how wrongly moments are ordered, and what is taken for done."""
    import torch
    from torch.nn import functional

    parts = [_varied([list(pair) for pair in pairs], generator)] if pairs else []
    parts += [_varied([[scene] for scene in scenes], generator)] if scenes else []
    pictures, first = (torch.cat([part[i] for part in parts]) for i in range(2))
    shown = [scene for pair in pairs for scene in pair] + list(scenes)
    dark = _lost_cameras(len(shown), pictures.shape[1], generator)
    dark[1 : 2 * len(pairs) : 2] = dark[0 : 2 * len(pairs) : 2]
    out = forward(weights, pictures, first, dark, generator)
    wanted = torch.tensor([scene.progress for scene in shown], dtype=torch.float32)
    weight = torch.tensor([scene.weight for scene in shown], dtype=torch.float32)
    errors = functional.smooth_l1_loss(out[:, 0], wanted, reduction="none", beta=STRAIGHT_FROM)
    loss = (weight * errors).mean()
    if pairs:
        loss = loss + ORDER_WEIGHT * PAIRED * _disorder(out[: 2 * len(pairs), 0], wanted)
    done = torch.tensor([scene.done for scene in shown], dtype=torch.float32)
    sure = (done >= 0).float()
    misses = functional.binary_cross_entropy_with_logits(
        out[:, 1], done.clamp(min=0.0), reduction="none"
    )
    total: Tensor = loss + DONE_WEIGHT * (misses * sure).sum() / sure.sum().clamp(min=1.0)
    return total


def _disorder(values_2P: Tensor, wanted: Tensor) -> Tensor:
    """Return by how much the values of paired moments change less than they should.

    A value that is right on average may still rise while the hand goes back, where a moment is a
    small part of a long task. Only order is asked for: a loss on the change itself teaches to look
    at the hand alone.
    """
    import torch

    change = values_2P[1::2] - values_2P[0::2]
    right = wanted[1 : len(values_2P) : 2] - wanted[0 : len(values_2P) : 2]
    least = ORDER_SHARE * right.abs().clamp(max=ORDER_SURE)
    return torch.relu(least - torch.sign(right) * change).mean()


def _varied(groups: Sequence[Sequence[Scene]], generator: Generator) -> tuple[Tensor, Tensor]:
    """Return varied pictures and first pictures (B * n, cameras, 3, S, S) of B groups of n scenes.

    The scenes of a group are of one episode and change alike.
    """
    shown = [[*(scene.picture for scene in group), group[0].first] for group in groups]
    varied = vary(_tensor(np.stack([np.stack(pictures) for pictures in shown])), generator)
    first = varied[:, -1:].expand_as(varied[:, :-1])
    return varied[:, :-1].flatten(0, 1), first.flatten(0, 1)


def _tensor(pictures: NDArray[np.uint8]) -> Tensor:
    import torch

    return torch.from_numpy(pictures).movedim(-1, -3).float() / 255.0


def _lost_cameras(count: int, cameras: int, generator: Generator) -> Tensor:
    """Return (count, cameras) ones, with a zero where a camera is dark; never all dark."""
    import torch

    keep = torch.ones(count, cameras)
    if cameras > 1:
        lost = torch.rand(count, generator=generator) < CAMERA_LOST * cameras
        which = torch.randint(0, cameras, (count,), generator=generator)
        keep[torch.arange(count)[lost], which[lost]] = 0.0
    return keep


def forward(
    weights: dict[str, Tensor],
    pictures: Tensor,
    first: Tensor,
    keep: Tensor,
    generator: Generator | None = None,
) -> Tensor:
    """Return (B, 2) progress and done logit: the training twin of `PixelNetwork`.

    pictures, first: (B, cameras, 3, S, S). keep: (B, cameras) 0 for a dark camera. generator:
    for dropout; None leaves nothing out.
    """
    import torch

    parts = []
    for index in range(pictures.shape[1]):
        prefix = f"camera{index}."
        own = {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
        seen = _camera_features(own, pictures[:, index], first[:, index])
        parts.append(seen * keep[:, index, None])
    hidden = torch.relu(torch.cat(parts, dim=1) @ weights["head.h1"] + weights["head.c1"])
    if generator is not None:
        kept = (torch.rand(hidden.shape, generator=generator) >= DROPOUT).float()
        hidden = hidden * kept / (1.0 - DROPOUT)
    hidden = torch.relu(hidden @ weights["head.h2"] + weights["head.c2"])
    return hidden @ weights["head.out"] + weights["head.c3"]


def _camera_features(own: dict[str, Tensor], picture: Tensor, first: Tensor) -> Tensor:
    import torch
    from torch.nn import functional

    seen = 2.0 * torch.cat([picture - 0.5, picture - first], dim=1)
    for number, (kernel, stride) in enumerate(zip(KERNELS, STRIDES, strict=True), start=1):
        filters = own[f"w{number}"].permute(3, 2, 0, 1)
        seen = functional.conv2d(seen, filters, own[f"b{number}"], stride, kernel // 2)
        if number < len(KERNELS):
            seen = torch.relu(seen)
    flat = seen.flatten(2)
    where = torch.softmax(flat * own["heat"][:, None], dim=2)
    where = where.reshape(len(seen), CHANNELS[-1], GRID, GRID)
    axis = torch.linspace(-1.0, 1.0, GRID)
    across, down = where.sum(2) @ axis, where.sum(3) @ axis
    positive = torch.relu(flat)
    features = torch.cat([across, down, positive.amax(2), positive.mean(2)], dim=1)
    assert features.shape[1] == FEATURES
    return features
