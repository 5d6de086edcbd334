"""Train the sequence network on a folder of code files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_json, write_text
from robovalue_ros.data.code_files import CodeFolder, read_code_folder
from robovalue_ros.data.plan_files.places import META
from robovalue_ros.data.settings import read_settings
from robovalue_ros.pipelines.codes.config import CodesTrainConfig
from robovalue_ros.pipelines.codes.folders import named_run_folder, needed, new_run_folder
from robovalue_ros.pipelines.codes.model import (
    KIND,
    WEIGHTS,
    about_model,
    chosen_device,
    cpu_threads,
)
from robovalue_ros.pipelines.codes.planned_sequences import planned_sequences
from robovalue_ros.pipelines.planned_training import open_training_plan
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.plans.run_summary import RunFacts
from robovalue_ros.segment.codes.lengths import (
    length_analysis,
    resolve_max_len,
    truncation_ratio,
)
from robovalue_ros.segment.codes.network import NetworkShape, new_network
from robovalue_ros.segment.codes.sequences import codebook_size, padded_tokens, vocabulary_size
from robovalue_ros.segment.codes.split import balancing_weights, split_classes
from robovalue_ros.training.checkpoints import read_checkpoint, write_checkpoint
from robovalue_ros.training.code_sequences import Epoch, SequenceTrainer
from robovalue_ros.training.interruption import Interruption
from robovalue_ros.training.logger import TrainingLogger, open_sinks
from robovalue_ros.training.planned import SAMPLING_PLAN, RunPlan
from robovalue_ros.training.run_files import PLAN_FOLDER, describe_run

DEFAULT_PROGRESS = SilentProgress()
STATE, LOG, LENGTHS = "training_state.safetensors", "train_log.json", "length_analysis.json"
CONFIG_USED, LABELS = "config_used.yaml", "label_names.txt"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """out: the run's folder. sizes: sequences that trained and judged. classes: their names.

    exit_code: 0, or what a shell expects when a signal asked for the end.
    """

    out: Path
    best_loss: float
    best_epoch: int
    epochs_ran: int
    max_len: int
    vocabulary: int
    sizes: tuple[int, int]
    classes: tuple[str, ...]
    findings: tuple[Finding, ...]
    exit_code: int


def train_codes(
    config: CodesTrainConfig, opener: Opener | None = None, *, progress: Progress = DEFAULT_PROGRESS
) -> TrainResult:
    """Train, or go on with a run; raises ConfigError or DataError where the input cannot be used.

    opener: `wiring.open_reader`; asked only for the data set that a sampling plan is of.
    The best weights and the state are written after every epoch, so a killed run loses one epoch.
    """
    if config.resume is not None:
        config = _config_of_run(config, config.resume)
    root = needed(config.json_root, "codes train", "--json-root", "a folder of JSON files")
    if config.model.bidirectional and config.compat != "reference":
        raise ConfigError(
            "bidirectional is on: the network would see the code that it has to guess",
            "bidirectional: false",
            "--compat reference trains it nevertheless, to repeat an old run.",
        )
    folder = read_code_folder(root, labelled=True, progress=progress)
    plan = _plan(config, folder)
    run, left_out = _run_plan(config, folder, plan, opener, progress)
    with cpu_threads(config.threads):
        return _Run(config, folder, plan, run, left_out).train(progress)


def _run_plan(
    config: CodesTrainConfig,
    folder: CodeFolder,
    plan: _Plan,
    opener: Opener | None,
    progress: Progress,
) -> tuple[RunPlan, tuple[Finding, ...]]:
    """Return seed, schedule and sampling plan of a run, and what of the plan is not drawn."""
    schedule, seed = config.schedule, config.training.seed
    if schedule.freeze_mode != "default":
        raise ConfigError(
            f"freeze_mode is {schedule.freeze_mode}, and a new network has no part to freeze",
            "freeze_mode default",
        )
    opened = open_training_plan(config.plan, None, opener, progress=progress)
    if opened is None:
        return RunPlan(seed, schedule), ()
    names = [folder.names[row] for row in plan.trains]
    drawn, left_out = planned_sequences(opened, folder.root, names, seed)
    return RunPlan(seed, schedule, drawn), (*opened.findings, *left_out)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    classes: tuple[str, ...]
    lengths: tuple[int, ...]
    max_len: int
    vocabulary: int
    tokens: Any
    trains: Any
    judges: Any

    @property
    def fingerprint(self) -> str:
        """Name the data: another folder, or a changed one, has another."""
        digest = hashlib.sha256(self.tokens.tobytes())
        digest.update("\0".join(self.classes).encode())
        return digest.hexdigest()


def _plan(config: CodesTrainConfig, folder: CodeFolder) -> _Plan:
    sequences = folder.sequences
    lengths = tuple(len(sequence.codes) for sequence in sequences)
    cap = config.sequence.max_len_cap or None
    max_len = resolve_max_len(config.sequence.max_len, lengths, cap)
    size = config.sequence.codebook_size or codebook_size(sequences)
    classes = tuple(str(sequence.label) for sequence in sequences)
    trains, judges = split_classes(
        classes, config.training.val_ratio, np.random.default_rng(config.training.seed)
    )
    tokens = padded_tokens([sequence.codes for sequence in sequences], max_len)
    vocabulary = vocabulary_size(size, sequences)
    return _Plan(classes, lengths, max_len, vocabulary, tokens, trains, judges)


class _Run:
    """One run: its trainer and its files."""

    def __init__(
        self,
        config: CodesTrainConfig,
        folder: CodeFolder,
        plan: _Plan,
        run: RunPlan,
        left_out: tuple[Finding, ...],
    ) -> None:
        self.config, self.folder, self.plan, self.run = config, folder, plan, run
        self.findings = [*folder.findings, *left_out]
        self.labels = tuple(sorted(set(plan.classes)))
        options = config.training
        generator = torch.Generator().manual_seed(options.seed)
        model = config.model
        shape = NetworkShape(
            plan.vocabulary, model.embedding_dim, model.width, model.num_layers, model.cell,
            model.bidirectional,
        )  # fmt: skip
        network = new_network(shape, generator, model.dropout).to(chosen_device(config.device))
        tokens = torch.from_numpy(plan.tokens)
        drawn_from = [plan.classes[row] for row in plan.trains]
        weights = balancing_weights(drawn_from) if options.balanced else np.ones(len(drawn_from))
        try:
            self.trainer = SequenceTrainer(
                network, tokens[plan.trains], tokens[plan.judges], torch.from_numpy(weights),
                options, generator, run,
            )  # fmt: skip
        except ContractError as problem:
            raise DataError(folder.root, str(problem)) from problem

    def train(self, progress: Progress) -> TrainResult:
        out = self.config.resume
        if out is None:
            out = self._new_folder()
            self._describe(out)
        else:
            self._restore(out)
        self._tell_plan(out)
        before = self.trainer.epoch
        sinks = open_sinks(out, tensorboard=self.config.tensorboard, after=before or None)
        logger = TrainingLogger(out, sinks, after=before)
        left = max(0, self.config.training.epochs - before)
        with (
            Interruption() as interruption,
            closing(logger),
            progress.stage("epochs", left) as tick,
        ):
            while not (self.trainer.finished or interruption.asked):
                epoch = self.trainer.run_epoch()
                # Told first: a run that goes on drops the lines of epochs that it does again, but
                # has no way to make up for one that is missing.
                seen = self.trainer.seen
                exposed = {} if seen is None else seen.metrics()
                logger.log("epoch", epoch.number, {**_numbers(epoch), **exposed})
                self._save(out, epoch)
                progress.say(_told(epoch))
                tick(1)
        plan, trainer = self.plan, self.trainer
        return TrainResult(
            out, trainer.best_loss, trainer.best_epoch, trainer.epoch, plan.max_len,
            plan.vocabulary, (len(plan.trains), len(plan.judges)), self.labels,
            tuple(self.findings), interruption.exit_code,
        )  # fmt: skip

    def _new_folder(self) -> Path:
        config = self.config
        if config.exp_name is None:
            return new_run_folder(config.out_dir)
        return named_run_folder(config.out_dir, config.exp_name, config.overwrite)

    def _tell_plan(self, out: Path) -> None:
        """Leave the run's summary and plan in its folder."""
        trainer, training = self.trainer, self.config.training
        facts = RunFacts(
            train_config_name=KIND, exp_name=out.name, seed=training.seed,
            num_train_steps=trainer.steps, batch_size=training.batch_size,
        )  # fmt: skip
        self.findings += [Finding("note", "schedule", note) for note in trainer.rates.notes]
        self.findings += describe_run(out, facts, self.run, trainer.seen, trainer.rates.scale)

    def _used(self) -> dict[str, Any]:
        """Return the settings, with what `auto` came to."""
        used = to_mapping(replace(self.config, resume=None, extra_epochs=0))
        used["json_root"] = str(self.folder.root.resolve())
        used["sequence"] |= {
            "max_len_resolved": self.plan.max_len,
            "truncation_ratio": truncation_ratio(self.plan.lengths, self.plan.max_len),
        }
        return used

    def _describe(self, out: Path) -> None:
        text = yaml.safe_dump(self._used(), sort_keys=False, allow_unicode=True)
        write_text(out / CONFIG_USED, text)
        write_text(out / LABELS, "".join(f"{name}\n" for name in self.labels))
        write_json(out / LENGTHS, self._lengths())

    def _lengths(self) -> dict[str, Any]:
        cap = self.config.sequence.max_len_cap or None
        return length_analysis(self.plan.lengths, self.plan.max_len, cap)

    def _save(self, out: Path, epoch: Epoch) -> None:
        if epoch.better:
            about = about_model(self.trainer.network, self.plan.max_len, self._used(), self.labels)
            about |= {"epoch": epoch.number, "loss": epoch.judged.loss}
            write_checkpoint(out / WEIGHTS, self.trainer.best, about)
        summary = {
            "best_val_loss": self.trainer.best_loss,
            "best_epoch": self.trainer.best_epoch,
            "epochs_ran": self.trainer.epoch,
            "judged_by": "train" if epoch.val is None else "val",
        }
        log = {
            "history": self.trainer.history,
            "summary": summary,
            "length_analysis": self._lengths(),
        }
        write_json(out / LOG, log)
        # Last: a state that is there stands behind files that are there.
        tensors, told = self.trainer.state()
        about = {"kind": f"{KIND}_state", "data": self.plan.fingerprint, **self._drawn(), **told}
        write_checkpoint(out / STATE, tensors, about)

    def _drawn(self) -> Mapping[str, Any]:
        planned = self.run.planned
        return {} if planned is None else planned.settings()

    def _restore(self, out: Path) -> None:
        path = out / STATE
        if not path.is_file():
            return  # killed in its first epoch: the same seed begins the same run again
        tensors, about = read_checkpoint(path, f"{KIND}_state")
        if about.get("data") != self.plan.fingerprint:
            raise DataError(
                path, f"belongs to other sequences than those in {self.folder.root}",
                "the files that the run began with", "Begin a new run without --resume.",
            )  # fmt: skip
        if about.get(SAMPLING_PLAN) != self._drawn().get(SAMPLING_PLAN):
            raise DataError(
                path, "belongs to a run of another sampling plan", "the plan that the run began with",
                "Begin a new run without --resume.",
            )  # fmt: skip
        try:
            self.trainer.restore(tensors, about)
        except ContractError as problem:
            raise DataError(path, str(problem)) from problem


def _config_of_run(given: CodesTrainConfig, run: Path) -> CodesTrainConfig:
    """Return the settings that a run began with; only device, folder and more epochs are new."""
    path = run / CONFIG_USED
    if not path.is_file():
        raise DataError(run, "is no run of `robovalue codes train`", f"a folder with {CONFIG_USED}")
    stored = read_settings(CodesTrainConfig, path)
    longer = stored.training.epochs + given.extra_epochs
    choice = stored.plan
    if choice.sampling_plan_path is not None and (run / PLAN_FOLDER / META).is_file():
        choice = replace(choice, sampling_plan_path=run / PLAN_FOLDER)  # the one it began with
    return replace(
        stored, resume=run, device=given.device, json_root=given.json_root or stored.json_root,
        training=replace(stored.training, epochs=longer), plan=choice,
    )  # fmt: skip


def _told(epoch: Epoch) -> str:
    val = "" if epoch.val is None else f"  val {epoch.val.loss:.4f} (ppl {epoch.val.ppl:.1f})"
    mark = "  best" if epoch.better else ""
    return (
        f"epoch {epoch.number}: train {epoch.train.loss:.4f} (ppl {epoch.train.ppl:.1f}){val}{mark}"
    )


def _numbers(epoch: Epoch) -> dict[str, float]:
    found = {"train_loss": epoch.train.loss, "train_ppl": epoch.train.ppl}
    if epoch.val is not None:
        found |= {"val_loss": epoch.val.loss, "val_ppl": epoch.val.ppl}
    return found
