"""The loop of every training here: steps, validation, checkpoints, and going on as if never stopped.

Chance has no memory: the order of an epoch and the seed of each micro-batch follow from one number
and from where training is. So a checkpoint needs no random state, and a run that was stopped at
any step and resumed does on one CPU, to the bit, what an undisturbed one does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.contracts.progress import Progress, SilentProgress, Tick
from robovalue_ros.contracts.types import Finding
from robovalue_ros.plans.run_summary import RunFacts
from robovalue_ros.training.checkpoints import (
    BEST,
    LATEST,
    NETWORK,
    OPTIMIZER,
    SUFFIX,
    optimizer_tensors,
    read_checkpoint,
    require_same_settings,
    restore_optimizer,
    under_prefix,
    with_prefix,
    write_checkpoint,
)
from robovalue_ros.training.engine import load_batches, on_device, open_accelerator, own_randomness
from robovalue_ros.training.freezing import freeze
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.training.logger import Logger, SilentLogger, TrainingLogger, open_sinks
from robovalue_ros.training.options import LoopConfig, loop_settings
from robovalue_ros.training.place import Place
from robovalue_ros.training.plan_options import schedule_settings
from robovalue_ros.training.planned import NO_PLAN, RunPlan
from robovalue_ros.training.rates import run_rates
from robovalue_ros.training.run_files import describe_run
from robovalue_ros.training.schedule import MicroBatch, Step, epoch_steps, even_batches, steps_of
from robovalue_ros.training.tally import LOSS, Tally
from robovalue_ros.training.task import Measured, Samples, Span, Task, TrainingData

BETAS = (0.9, 0.95)
COUNTS = "counts."
DEFAULT_PROGRESS = SilentProgress()
SAMPLER = "sampler"


@dataclass(frozen=True)
class TrainingResult:
    """best: smallest loss of an epoch, on validation samples where there are any. interrupted: the
    run was asked to stop and can go on. early: it stopped because nothing got better."""

    folder: Path
    epochs: int
    steps: int
    best: float
    best_epoch: int
    validated: bool
    interrupted: bool
    early: bool
    findings: tuple[Finding, ...]


def train(
    task: Task,
    data: TrainingData,
    config: LoopConfig,
    folder: Path,
    *,
    rng: np.random.Generator,
    settings: Mapping[str, Any],
    run: RunPlan = NO_PLAN,
    resume: bool = False,
    progress: Progress = DEFAULT_PROGRESS,
    interruption: Interruption | None = None,
) -> TrainingResult:
    """Train a task's network; `folder` gets log, `latest`, `best` and the weights of some epochs.

    rng: decides every draw; resuming needs it in the same state as the first time. settings: other
    plain values that the result depends on, compared when a run goes on. run: a plan that samples
    are drawn by, and how rates fit it; an epoch is then a pass of the plan. Raises ConfigError,
    DataError, MissingExtra, PlanError.
    """
    if not len(data.train):
        raise ConfigError("there is nothing to learn from", "at least one sample")
    root = int(rng.integers(2**62))
    accelerator = open_accelerator(config.device, config.precision)
    shaping = {**loop_settings(config), **settings, **schedule_settings(run.schedule)}
    if run.planned is not None:
        shaping |= run.planned.settings()
    freeze(task, run.schedule.freeze_mode)
    going = _Run(task, data, config, folder, accelerator, root, shaping, progress, run)
    with own_randomness(accelerator.device), interruption or nullcontext(Interruption()) as stop:
        try:
            if resume:
                going.restore()
            return going.to_the_end(stop)
        finally:
            going.logger.close()
            accelerator.end_training()


class _Run:
    def __init__(
        self,
        task: Task,
        data: TrainingData,
        config: LoopConfig,
        folder: Path,
        accelerator: Any,
        root: int,
        shaping: Mapping[str, Any],
        progress: Progress,
        run: RunPlan,
    ) -> None:
        self.task, self.data, self.config, self.folder = task, data, config, folder
        self.run, self.planned = run, run.planned
        self.accelerator, self.root, self.shaping = accelerator, root, shaping
        self.first = bool(accelerator.is_main_process)
        self.progress: Progress = progress if self.first else SilentProgress()
        self.place = Place()
        self.logger: Logger = SilentLogger()
        self.findings: list[Finding] = []
        weights = [weight for weight in task.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            weights, lr=config.lr, betas=BETAS, weight_decay=config.weight_decay
        )
        self.model, self.optimizer = accelerator.prepare(task, optimizer)
        self.steps_per_epoch = len(self._steps(0))
        self.steps = config.num_train_steps or config.epochs * self.steps_per_epoch
        self.epochs = -(-self.steps // self.steps_per_epoch)
        self.seen = None
        if self.planned is not None:
            self.seen = self.planned.seen(self.steps, config.batch_size)
        repeat = None if self.seen is None else self.seen.effective_repeat
        self.rates = run_rates(config, self.steps, run.schedule, repeat)

    # Going on

    def restore(self) -> None:
        """Take up weights, optimizer and place from `latest`; raises when the options differ."""
        tensors, about = read_checkpoint(self.folder / LATEST, self.task.kind)
        require_same_settings(about["settings"], self.shaping)
        self.task.network.load_state_dict(under_prefix(NETWORK, tensors))
        restore_optimizer(self.optimizer.optimizer, under_prefix(OPTIMIZER, tensors))
        if self.accelerator.scaler is not None and about["scaler"]:
            self.accelerator.scaler.load_state_dict(about["scaler"])
        counts = under_prefix(COUNTS, tensors) if self.first else {}
        stored = about["tally"] if self.first else {"samples": 0, "sums": {}}
        tally = Tally.restored(stored, counts)
        self.place = Place(**about["place"], tally=tally)
        if self.planned is not None:
            self.planned.stream.restore(self.place.epoch, about.get(SAMPLER) or {})
        if not self.first:  # the other processes' share is in the first one's
            self.place.tally = Tally()

    def to_the_end(self, stop: Interruption) -> TrainingResult:
        config, place = self.config, self.place
        self._open_logger()
        early = interrupted = False
        while place.step < self.steps and not early:
            begin = time.monotonic()
            if not self._epoch(stop):
                interrupted = True
                self._keep_latest()
                break
            self._finish_epoch(time.monotonic() - begin)
            early = bool(config.patience) and place.since_best >= config.patience
            self._keep_latest()
        self.logger.log("end", place.step, {"interrupted": interrupted, "early": early})
        return TrainingResult(
            self.folder, place.epoch, place.step, math.nan if place.best is None else place.best,
            place.best_epoch, self.data.validation is not None, interrupted, early,
            tuple(self.findings),
        )  # fmt: skip

    def _open_logger(self) -> None:
        if not self.first:
            return
        after = self.place.step if self.place.step else None
        self.folder.mkdir(parents=True, exist_ok=True)
        sinks = open_sinks(
            self.folder, tensorboard=self.config.tensorboard, wandb=self.config.wandb,
            name=self.folder.name, settings=self.shaping, after=after,
        )  # fmt: skip
        self.logger = TrainingLogger(self.folder, sinks, after=after)
        if after is None:
            self.logger.log("start", 0, {"settings": dict(self.shaping)})
        self._describe()

    def _describe(self) -> None:
        """Leave the run's summary and plan in its folder, and tell what could not be done."""
        facts = RunFacts(
            train_config_name=self.task.kind, exp_name=self.folder.name, seed=self.run.seed,
            num_train_steps=self.steps, batch_size=self.config.batch_size,
        )  # fmt: skip
        found = [Finding("note", "schedule", note) for note in self.rates.notes]
        found += describe_run(self.folder, facts, self.run, self.seen, self.rates.scale)
        for finding in found:
            self._tell(finding)

    # One epoch

    def _steps(self, epoch: int) -> list[Step]:
        config, limit = self.config, self.config.samples_per_epoch
        if self.planned is not None:
            rng = np.random.default_rng([self.root, epoch])
            order = self.planned.order(epoch, config.batch_size, limit)
            return steps_of(order, config.batch_size, config.micro_batch, rng)
        return epoch_steps(
            len(self.data.train), config.batch_size, config.micro_batch, self.root, epoch, limit
        )

    def _epoch(self, stop: Interruption) -> bool:
        """Do what is left of an epoch's steps; tell whether it got to the end."""
        begun = self.place.step - self.place.step_in_epoch
        steps = self._steps(self.place.epoch)[: self.steps - begun]
        self.model.train()
        name = f"epoch {self.place.epoch + 1}/{self.epochs}"
        with self.progress.stage(name, len(steps)) as tick:
            tick(self.place.step_in_epoch)
            mine = [self._mine(step) for step in steps[self.place.step_in_epoch :]]
            batches = self._load(self.data.train, [m.samples for part in mine for m in part])
            for part in mine:
                if self._asked(stop):
                    return False
                self._step(part, batches, tick)
        return True

    def _mine(self, step: Step) -> Step:
        """Return the micro-batches of a step that this process takes; one of no weight if none."""
        processes, number = self.accelerator.num_processes, self.accelerator.process_index
        return step[number::processes] or (step[0]._replace(share=0.0),)

    def _load(self, samples: Samples, batches: Sequence[Any]) -> Iterator[Any]:
        device = self.accelerator.device
        return load_batches(samples, batches, self.data.collate, self.config.workers, device)

    def _step(self, part: Sequence[MicroBatch], batches: Iterator[Any], tick: Tick) -> None:
        place, config = self.place, self.config
        rate = self.rates.at(place.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        tally = Tally()
        for at, micro in enumerate(part):
            together = at == len(part) - 1
            with nullcontext() if together else self.accelerator.no_sync(self.model):
                measured = self._backward(micro, next(batches))
            tally.add(measured, len(micro.samples) if micro.share else 0)
        longest = config.clip_grad or math.inf
        norm = self.accelerator.clip_grad_norm_(self.task.parameters(), longest)
        self.optimizer.step()
        self.optimizer.zero_grad()
        place.tally.merge(tally)
        place.step += 1
        place.step_in_epoch += 1
        tick(1)
        if place.step == 1 or place.step % config.log_interval == 0:
            self._log_step(tally, rate, norm)

    def _backward(self, micro: MicroBatch, batch: Any) -> Measured:
        torch.manual_seed(micro.seed)
        measured: Measured = self.model(on_device(self.accelerator.device, batch))
        # Gradients are averaged over processes; each micro-batch shall count by its samples.
        weight = micro.share * self.accelerator.num_processes
        self.accelerator.backward(measured.loss * weight)
        return measured

    def _log_step(self, tally: Tally, rate: float, norm: Any) -> None:
        whole = tally.over_processes(self.accelerator)
        means = whole.means()
        told = {f"train_{name}": value for name, value in means.items()}
        told |= {f"train_{k}": v for k, v in self.task.summary(whole.counts, "step").items()}
        told |= {"lr": rate, "grad_norm": float(norm), "epoch": self.place.epoch + 1}
        told |= {} if self.seen is None else self.seen.metrics()
        self.logger.log("step", self.place.step, told)
        self._require_finite(means[LOSS])
        self._warn("step", told)

    # Between epochs

    def _finish_epoch(self, seconds: float) -> None:
        place = self.place
        whole = place.tally.over_processes(self.accelerator)
        told = self._told("train", whole)
        self._require_finite(told["train_loss"])
        if self.data.validation is not None:
            told |= self._told("val", self._validated())
        place.epoch += 1
        place.step_in_epoch = 0
        place.tally = Tally()
        told |= {"epoch": place.epoch}
        self.logger.log("epoch", place.step, {**told, "seconds": seconds})
        self._warn("epoch", told)
        judged = told["train_loss" if self.data.validation is None else "val_loss"]
        if place.best is None or judged < place.best - self.config.min_delta:
            place.best, place.best_epoch, place.since_best = judged, place.epoch, 0
            self._keep_weights(BEST, told)
        else:
            place.since_best += 1
        if self.config.save_interval and place.epoch % self.config.save_interval == 0:
            self._keep_weights(f"{place.epoch}{SUFFIX}", told)

    def _told(self, where: str, tally: Tally) -> dict[str, float]:
        numbers = {**tally.means(), **self.task.summary(tally.counts, "epoch")}
        return {f"{where}_{name}": value for name, value in numbers.items()}

    def _validated(self) -> Tally:
        samples = self.data.validation
        assert samples is not None
        limit = self.config.samples_per_epoch
        batches = even_batches(len(samples), self.config.micro_batch, limit)
        number, processes = self.accelerator.process_index, self.accelerator.num_processes
        # A process without a batch of its own looks at the first one, for the names of the numbers.
        mine = batches[number::processes] or batches[:1]
        idle = len(batches) <= number
        tally = Tally()
        self.task.eval()
        with torch.no_grad(), self.progress.stage("validation", len(mine)) as tick:
            for indices, batch in zip(mine, self._load(samples, mine), strict=True):
                # The task itself: processes may have different numbers of batches here.
                measured = self.task(on_device(self.accelerator.device, batch))
                tally.add(measured, 0 if idle else len(indices))
                tick(1)
        return tally.over_processes(self.accelerator)

    def _warn(self, span: Span, told: Mapping[str, float]) -> None:
        for finding in self.task.warnings(span, told, self.place.step, self.place.memory):
            if finding.subject not in self.place.told:
                self.place.told.append(finding.subject)
                self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.progress.say(f"{finding.level}: {finding.found} {finding.advice}")
        about = {"found": finding.found, "advice": finding.advice}
        self.logger.log("warning", self.place.step, about)

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise ConfigError(
                f"the loss is {loss} after {self.place.step} steps", "a number",
                "Lower --lr, or set --clip-grad 1. The last checkpoint is intact.",
            )  # fmt: skip

    def _asked(self, stop: Interruption) -> bool:
        if self.accelerator.num_processes == 1:
            return stop.asked
        asked = torch.tensor(int(stop.asked), device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, "sum") > 0)

    # Keeping

    def _keep_weights(self, name: str, told: Mapping[str, float]) -> None:
        if self.first:
            numbers = {key: value for key, value in told.items() if math.isfinite(value)}
            weights = with_prefix(NETWORK, self.task.network.state_dict())
            write_checkpoint(self.folder / name, weights, {**self._about(), "told": numbers})

    def _keep_latest(self) -> None:
        """Write everything that going on needs."""
        place = self.place
        whole = place.tally.over_processes(self.accelerator)
        if self.first:
            tally, counts = whole.stored()
            where = {k: v for k, v in vars(place).items() if k != "tally"}
            scaler = self.accelerator.scaler
            tensors = {
                **with_prefix(NETWORK, self.task.network.state_dict()),
                **with_prefix(OPTIMIZER, optimizer_tensors(self.optimizer.optimizer)),
                **with_prefix(COUNTS, counts),
            }
            about = {
                **self._about(), "settings": dict(self.shaping), "place": where, "tally": tally,
                "scaler": scaler.state_dict() if scaler is not None else None,
            }  # fmt: skip
            if self.planned is not None:
                about[SAMPLER] = self.planned.stream.stored(place.epoch)
            write_checkpoint(self.folder / LATEST, tensors, about)
        self.accelerator.wait_for_everyone()

    def _about(self) -> dict[str, Any]:
        return {
            "kind": self.task.kind, "epoch": self.place.epoch, "step": self.place.step,
            **self.task.about(),
        }  # fmt: skip
