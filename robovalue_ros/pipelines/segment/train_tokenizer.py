"""From followed points to a motion tokenizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robovalue_ros.backends.motion_tokenizer import load_tokenizer
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import ConfigError, ContractError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.tracks.reader import TracksInfo
from robovalue_ros.pipelines.planned_training import TrainingPlan, open_training_plan
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.pipelines.segment.planned_windows import planned_split, planned_windows
from robovalue_ros.pipelines.segment.train_tokenizer_config import (
    TrainTokenizerConfig,
    WindowOptions,
)
from robovalue_ros.segment.gates import MotionGateOptions
from robovalue_ros.segment.tokenizer.config import TokenizerConfig
from robovalue_ros.segment.tokenizer.network import MotionTokenizer, new_tokenizer
from robovalue_ros.segment.tokenizer.starting import fit_starting_weights
from robovalue_ros.training.checkpoints import BEST, clear_run, run_folder
from robovalue_ros.training.engine import is_first_process
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.training.logger import LOG_FILE, read_log
from robovalue_ros.training.loop import TrainingResult, train
from robovalue_ros.training.options import LoopConfig
from robovalue_ros.training.planned import PlannedSamples, RunPlan
from robovalue_ros.training.splits import Split, parse_source, split_recordings
from robovalue_ros.training.task import TrainingData
from robovalue_ros.training.tokenizer import TokenizerTask
from robovalue_ros.training.tokenizer_samples import (
    MotionSamples,
    Opened,
    SampleOptions,
    motion_samples,
    open_recordings,
)

DEFAULT_PROGRESS = SilentProgress()
STARTING_SAMPLES = 256


@dataclass(frozen=True)
class TokenizerResult:
    """samples, held_out: windows learned from and judged by. told: the best epoch's numbers. drawn:
    anchors of the sampling plan that are drawn, None without one."""

    training: TrainingResult
    checkpoint: Path
    config: TokenizerConfig
    recordings: int
    samples: int
    held_out: int
    told: Mapping[str, float]
    findings: tuple[Finding, ...]
    drawn: int | None = None


def train_tokenizer(
    config: TrainTokenizerConfig,
    opener: Opener | None = None,
    *,
    progress: Progress = DEFAULT_PROGRESS,
    interruption: Interruption | None = None,
) -> TokenizerResult:
    """Train a tokenizer and keep it; raises ConfigError, DataError, MissingExtra, PlanError.

    opener: `wiring.open_reader`; asked only for the data set that a sampling plan is of.
    """
    if not config.data:
        raise ContractError("DATA", "at least one folder with track files", "none")
    if config.schedule.freeze_mode == "strong" and config.start_from is None:
        raise ConfigError(
            "freeze_mode is strong, and a new tokenizer has nothing to keep", "--start-from"
        )
    progress = progress if is_first_process() else SilentProgress()
    folder = run_folder(
        config.out, config.run_name, resume=config.resume, overwrite=config.overwrite
    )
    split_rng, weights_rng, loop_rng = np.random.default_rng(config.seed).spawn(3)
    split = split_recordings(
        config.data, config.validation, config.root_dir, config.validation_fraction, split_rng
    )
    plan = _plan(config, split, opener, progress)
    if plan is not None:
        split = planned_split(split, plan, _is_named(config))
    samples, opened, held_out, findings = _samples(split, config.windows, progress)
    drawn, left_out = (None, ()) if plan is None else planned_windows(
        plan, opened, samples, config.seed
    )  # fmt: skip
    network = _network(config, opened, samples, drawn, weights_rng)
    if config.overwrite and is_first_process():
        clear_run(folder)
    task = TokenizerTask(network, config.loss, config.loop.lr)
    try:
        training = train(
            task, TrainingData(samples, held_out, _together), _loop(config), folder,
            rng=loop_rng, settings=_settings(config, split),
            run=RunPlan(config.seed, config.schedule, drawn), resume=config.resume,
            progress=progress, interruption=interruption,
        )  # fmt: skip
    finally:
        samples.close()
        if held_out is not None:
            held_out.close()
    return TokenizerResult(
        training, folder / BEST, network.config, len(opened.files), len(samples),
        0 if held_out is None else len(held_out), _best(folder, training),
        (*split.findings, *findings, *(plan.findings if plan else ()), *left_out,
         *training.findings), None if drawn is None else len(drawn.samples),
    )  # fmt: skip


def _is_named(config: TrainTokenizerConfig) -> bool:
    """Tell whether the user said which recordings judge."""
    return bool(config.validation) or any(
        parse_source(text, config.root_dir).share is not None for text in config.data
    )


def _plan(
    config: TrainTokenizerConfig, split: Split, opener: Opener | None, progress: Progress
) -> TrainingPlan | None:
    if config.plan.sampling_plan_path is None:
        return None
    first = open_recordings(split.train, _sample_options(config.windows)).infos[0][0]
    horizon = config.windows.true_horizon or first.horizon
    return open_training_plan(config.plan, horizon, opener, progress=progress)


def _together(samples: list[Tensor]) -> Tensor:
    return torch.stack(samples)


def _samples(
    split: Split, windows: WindowOptions, progress: Progress
) -> tuple[MotionSamples, Opened, MotionSamples | None, list[Finding]]:
    options = _sample_options(windows)
    opened = open_recordings(split.train, options)
    samples, looked = motion_samples(opened, options, progress)
    findings = [*opened.findings, *looked]
    if not len(samples):
        raise ConfigError(
            "no window of any recording moves", "windows that pass the motion gate",
            "Lower --vel-norm-thr and --min-active-ratio, or pass --still-windows keep.",
        )  # fmt: skip
    held_out = None
    if split.validation:
        others = open_recordings(split.validation, options, opened)
        held_out, more = motion_samples(others, options, progress)
        findings += [*others.findings, *more]
        if not len(held_out):
            held_out = None
            findings.append(
                Finding("warning", "validation", "no held-out window moves: nothing to judge by")
            )
    return samples, opened, held_out, findings


def _sample_options(windows: WindowOptions) -> SampleOptions:
    gate = MotionGateOptions(True, windows.vel_norm_thr, windows.min_active_ratio)
    return SampleOptions(
        views=windows.views,
        horizon=windows.true_horizon,
        frames=windows.track_pred_horizon,
        interpolation=windows.interpolation,
        gate=gate if windows.still_windows == "drop" else None,
        compat=windows.compat == "reference",
    )


def _network(
    config: TrainTokenizerConfig,
    opened: Opened,
    samples: MotionSamples,
    drawn: PlannedSamples | None,
    rng: np.random.Generator,
) -> MotionTokenizer:
    """Return a new network that fits the data, or the given one if it does."""
    info = opened.infos[0][0]
    frames = samples[0].shape[1]
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    if config.start_from is not None:
        return _given(config.start_from, opened, info, frames)
    shape = TokenizerConfig(
        views=opened.views, num_tracks=info.points, steps=frames - 1,
        img_shape=config.windows.img_shape or (info.height, info.width), grid=info.grid,
        **to_mapping(config.network),
    )  # fmt: skip
    network = new_tokenizer(shape, generator)
    seen: Any = len(samples) if drawn is None else np.unique(drawn.samples)
    count = len(samples) if drawn is None else len(seen)
    chosen = rng.choice(seen, min(STARTING_SAMPLES, count), replace=False)
    points = torch.stack([samples[int(index)] for index in np.sort(chosen)])
    fit_starting_weights(network, points[:, :, 1:] - points[:, :, :-1])
    return network


def _given(path: Path, opened: Opened, info: TracksInfo, frames: int) -> MotionTokenizer:
    network = load_tokenizer(path).network
    has = network.config
    for field, there, wanted in (
        ("cameras", len(opened.views), len(has.views)),
        ("points", info.points, has.num_tracks),
        ("frames in a window", frames, has.steps + 1),
        ("grid", info.grid, has.grid),
    ):
        if there != wanted:
            raise ContractError(field, f"{wanted}, as in {path}", there)
    return network


def _loop(config: TrainTokenizerConfig) -> LoopConfig:
    if not config.quick:
        return config.loop
    return dataclasses.replace(config.loop, samples_per_epoch=2 * config.loop.micro_batch)


def _settings(config: TrainTokenizerConfig, split: Split) -> dict[str, Any]:
    """Return what a resumed run must have in common with the one that it goes on with."""
    return {
        **to_mapping(config.network), **to_mapping(config.loss), **to_mapping(config.windows),
        "seed": config.seed, "train_files": [path.name for path in split.train],
        "validation_files": [path.name for path in split.validation],
        "start_from": None if config.start_from is None else str(config.start_from),
    }  # fmt: skip


def _best(folder: Path, training: TrainingResult) -> dict[str, float]:
    for event in read_log(folder / LOG_FILE):
        if event.get("kind") == "epoch" and event.get("epoch") == training.best_epoch:
            return {name: value for name, value in event.items() if isinstance(value, float)}
    return {}
