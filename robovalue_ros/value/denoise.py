"""A small diffusion model of segment embeddings: network, noise schedule, training, scoring.

A network learns to tell the noise in a noisy embedding when it is told the segment. A window
whose noise it tells well under a segment's number belongs to that segment.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import describe, require
from robovalue_ros.value.denoise_options import DenoiserOptions
from robovalue_ros.value.one_thread import one_thread
from robovalue_ros.value.projection import Projection, fit_projection
from robovalue_ros.value.scaling import Floats, NormStats, Scaler, fit_scaler, norm_stats, unit_rows

BETA_START, BETA_END = 1e-4, 0.02
ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Noise levels (T,) of the forward process, float32: variances and what is left of the signal."""

    betas: Floats
    alphas: Floats
    alpha_cumprod: Floats

    @property
    def signal(self) -> Floats:
        """The factor of the embedding at each step."""
        return np.sqrt(self.alpha_cumprod)

    @property
    def noise(self) -> Floats:
        """The factor of the noise at each step."""
        noise: Floats = np.sqrt(np.float32(1) - self.alpha_cumprod)
        return noise


def noise_schedule(timesteps: int) -> Schedule:
    """Return a linear schedule of `timesteps` variances from 1e-4 to 0.02."""
    require(timesteps > 0, "timesteps", "at least one", timesteps)
    betas = torch.linspace(BETA_START, BETA_END, timesteps, dtype=torch.float32)
    alphas = 1.0 - betas
    left = torch.cumprod(alphas, dim=0)
    return Schedule(betas.numpy(), alphas.numpy(), left.numpy())


class StepEncoding(nn.Module):
    """Sines and cosines of the step number, (B,) -> (B, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, step: Tensor) -> Tensor:
        half = self.width // 2
        rate = -math.log(10_000.0) / max(1, half - 1)
        ramp = torch.arange(half, device=step.device, dtype=torch.float32)
        angle = step.to(torch.float32)[:, None] * torch.exp(rate * ramp)
        encoded = torch.cat([torch.sin(angle), torch.cos(angle)], dim=1)
        return nn.functional.pad(encoded, (0, self.width - 2 * half))


class Block(nn.Module):
    """h + MLP(h), then normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width))

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = self.norm(h + self.ff(h))
        return out


class Denoiser(nn.Module):
    """Tell the noise in z (B, d) at steps (B,) for segments (B,); names follow stored models."""

    def __init__(self, dim_in: int, num_segments: int, hidden_dim: int, num_layers: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(dim_in, hidden_dim)
        self.time_mlp = nn.Sequential(
            StepEncoding(hidden_dim),
            nn.Linear(hidden_dim, hidden_dim),
            nn.Mish(),
            nn.Linear(hidden_dim, hidden_dim),
        )
        self.seg_emb = nn.Embedding(num_segments, hidden_dim)
        self.blocks = nn.ModuleList(Block(hidden_dim) for _ in range(max(1, num_layers)))
        self.out_proj = nn.Linear(hidden_dim, dim_in)

    def forward(self, z: Tensor, step: Tensor, segment: Tensor) -> Tensor:
        h = self.in_proj(z) + self.time_mlp(step) + self.seg_emb(segment)
        for block in self.blocks:
            h = block(h)
        out: Tensor = self.out_proj(h)
        return out


def new_denoiser(
    dim_in: int, num_segments: int, options: DenoiserOptions, generator: torch.Generator
) -> Denoiser:
    """Build a network with the framework's usual initial weights, drawn from `generator` alone."""
    with torch.device("meta"):
        model = Denoiser(dim_in, num_segments, options.hidden_dim, options.num_layers)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                bound = 1.0 / math.sqrt(module.in_features)
                module.weight.uniform_(-bound, bound, generator=generator)
                module.bias.uniform_(-bound, bound, generator=generator)
            elif isinstance(module, nn.Embedding):
                module.weight.normal_(generator=generator)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
    return model


@dataclass(frozen=True, slots=True, eq=False)
class LatentSpace:
    """Where the denoiser works: standardised embeddings, projected if `projection` is given."""

    scaler: Scaler
    projection: Projection | None
    norms: NormStats

    def encode(self, x_KD: Floats) -> Floats:
        """Return latents (K, d) of raw embeddings (K, D)."""
        z = self.scaler.standardise(self.scaler.lengthen(np.asarray(x_KD, np.float32)))
        return z if self.projection is None else self.projection.apply(z)


def fit_latent_space(x_ND: Floats, pca_dim: int, *, compat: bool = False) -> LatentSpace:
    """Fit scaler and projection on all reference embeddings (N, D) of a task."""
    norms = norm_stats(x_ND)
    points = unit_rows(x_ND) if norms.use_l2 else np.asarray(x_ND, np.float32)
    scaler = fit_scaler(points, l2=norms.use_l2, compat=compat)
    return LatentSpace(scaler, fit_projection(scaler.standardise(points), pca_dim), norms)


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionScorer:
    """A trained denoiser with its latent space; losses: mean loss of each epoch, all of them."""

    space: LatentSpace
    model: Denoiser
    options: DenoiserOptions
    num_segments: int
    losses: tuple[float, ...]

    def costs(self, x_KD: Floats, noise_MKd: Floats, t_eval: int) -> Floats:
        """Return the cost (K, N) of each window in each segment, for noise that was drawn before."""
        with one_thread():
            return noise_costs(
                self.model, self.space.encode(x_KD), noise_MKd, t_eval,
                noise_schedule(self.options.timesteps), self.num_segments,
            )  # fmt: skip

    @property
    def latent_dim(self) -> int:
        return self.model.in_proj.in_features


def fit_diffusion(
    x_ND: Floats,
    segment_N: NDArray[np.int64],
    num_segments: int,
    options: DenoiserOptions,
    *,
    compat: bool = False,
    device: str = "cpu",
    on_epoch: Callable[[int, float], None] | None = None,
) -> DiffusionScorer:
    """Train a scorer on reference embeddings (N, D) with their segment numbers (N,).

    All randomness comes from options.seed. on_epoch is called with epoch number and mean loss.
    Raises ContractError when the loss stops being a number.
    """
    x = np.asarray(x_ND, np.float32)
    require(
        x.ndim == 2 and len(x) == len(segment_N) > 0, "embeddings",
        f"{len(segment_N)} rows, at least one", describe(x),
    )  # fmt: skip
    space = fit_latent_space(x, options.pca_dim, compat=compat)
    latents = torch.from_numpy(np.ascontiguousarray(space.encode(x)))
    segments = torch.from_numpy(np.asarray(segment_N, np.int64))
    generator = torch.Generator().manual_seed(options.seed)
    model = new_denoiser(latents.shape[1], num_segments, options, generator).to(device)
    with one_thread():
        losses = train(model, latents, segments, options, generator, on_epoch)
    return DiffusionScorer(space, model.cpu().eval(), options, num_segments, tuple(losses))


def train(
    model: Denoiser,
    latents: Tensor,
    segments: Tensor,
    options: DenoiserOptions,
    generator: torch.Generator,
    on_epoch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train in place and return the mean loss of each epoch; draws come from `generator` only.

    Noise is drawn on the CPU, so that a GPU sees the same numbers.
    """
    device = model.in_proj.weight.device
    schedule = noise_schedule(options.timesteps)
    signal, noise = torch.from_numpy(schedule.signal), torch.from_numpy(schedule.noise)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=0.01)
    count, losses = len(latents), []
    model.train()
    for epoch in range(max(1, options.epochs)):
        order = torch.randperm(count, generator=generator)
        total = 0.0
        for rows in torch.split(order, max(1, options.batch_size)):
            step = torch.randint(0, options.timesteps, (len(rows),), generator=generator)
            drawn = torch.randn((len(rows), latents.shape[1]), generator=generator)
            noisy = signal[step, None] * latents[rows] + noise[step, None] * drawn
            told = model(noisy.to(device), step.to(device), segments[rows].to(device))
            loss = nn.functional.mse_loss(told, drawn.to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / count)
        if not math.isfinite(losses[-1]):
            raise ContractError(
                "training loss", "a finite number", f"{losses[-1]} in epoch {epoch + 1}",
                "Lower segment_match_diffusion_lr or check the embeddings.",
            )  # fmt: skip
        if on_epoch is not None:
            on_epoch(epoch, losses[-1])
    return losses


def episode_noise(
    seed: int, episode_id: str, key: str, samples: int, windows: int, dim: int
) -> Floats:
    """Draw the noise (M, K, d) that scores one episode under one camera key.

    It depends on these arguments alone, so costs do not change with the order of episodes, with
    what was scored before, or from process to process.
    """
    digest = hashlib.sha256(f"{seed}|{episode_id}|{key}".encode()).digest()
    generator = np.random.default_rng(np.frombuffer(digest, np.uint32))
    return generator.standard_normal((max(1, samples), windows, dim), dtype=np.float32)


@torch.no_grad()
def noise_costs(
    model: Denoiser,
    latents_Kd: Floats,
    noise_MKd: Floats,
    t_eval: int,
    schedule: Schedule,
    num_segments: int,
) -> Floats:
    """Return how badly the noise is told (K, N): mean squared error over dimensions and draws.

    The same noise is used for every segment, so that only the segment makes a difference.
    """
    step = min(max(t_eval, 0), len(schedule.betas) - 1)
    samples, windows, dim = noise_MKd.shape
    signal, noise = float(schedule.signal[step]), float(schedule.noise[step])
    drawn = torch.from_numpy(noise_MKd)
    noisy = signal * torch.from_numpy(np.ascontiguousarray(latents_Kd)) + noise * drawn
    steps = torch.full((1,), step)
    shared = model.in_proj(noisy) + model.time_mlp(steps)
    cost = torch.zeros((windows, num_segments))
    at_once = max(1, ROWS_AT_ONCE // max(1, windows))
    for sample in range(samples):
        for first in range(0, num_segments, at_once):
            names = model.seg_emb.weight[first : min(first + at_once, num_segments)]
            h = (shared[sample][:, None] + names).reshape(-1, names.shape[1])
            for block in model.blocks:
                h = block(h)
            told = model.out_proj(h).reshape(windows, len(names), dim)
            error = (told - drawn[sample][:, None]).square().mean(dim=2)
            cost[:, first : first + len(names)] += error
    result: Floats = (cost / samples).numpy()
    return result
