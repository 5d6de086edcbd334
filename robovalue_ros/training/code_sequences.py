"""Training of the sequence network: epochs, early stopping, and a state that a run goes on from.

A run that was cut off and goes on from its state equals one that was not: weights, moments of the
optimiser, random numbers and history are all in the state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robovalue_ros.contracts.errors import ContractError
from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.codes.network import SequenceNetwork
from robovalue_ros.segment.codes.sequences import PAD
from robovalue_ros.training.checkpoints import (
    NETWORK,
    OPTIMIZER,
    optimizer_tensors,
    restore_optimizer,
    under_prefix,
    with_prefix,
)
from robovalue_ros.training.code_options import CodeTraining
from robovalue_ros.training.planned import NO_PLAN, RunPlan
from robovalue_ros.training.rates import run_rates

Weights = dict[str, Tensor]
BEST_WEIGHTS, GENERATOR, SAMPLER = "best.", "generator", "sampler"
LOSS_RANGE = (1e-9, 20.0)
ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Judged:
    """loss: cross-entropy per next code. ppl: its exponential. tokens: how many were guessed."""

    loss: float
    ppl: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass came to. val: None without sequences that judge."""

    number: int
    train: Judged
    val: Judged | None
    better: bool

    @property
    def judged(self) -> Judged:
        """What decides: validation where there is any, else training."""
        return self.val or self.train


class SequenceTrainer:
    """Trains a network epoch by epoch; `best` holds a copy of its best weights."""

    def __init__(
        self,
        network: SequenceNetwork,
        train_tokens: Tensor,
        val_tokens: Tensor,
        weights: Tensor,
        options: CodeTraining,
        generator: torch.Generator,
        run: RunPlan = NO_PLAN,
    ) -> None:
        """tokens: (N, L). weights: (N,), how often each training row is drawn, where no plan of
        `run` says so; an epoch is then a pass of the plan."""
        pairs = int((train_tokens[:, 1:] != PAD).sum()) if train_tokens.shape[1] > 1 else 0
        require(pairs > 0, "training sequences", "one with two codes or more", "none")
        self.network, self.options = network, options
        self._train, self._val, self._weights = train_tokens, val_tokens, weights
        self._noise = generator
        self._optimizer = torch.optim.Adam(
            network.parameters(), lr=options.lr, weight_decay=options.weight_decay
        )
        self.best: Weights = copied(network)
        self.best_loss, self.best_epoch, self.epoch, self.step = math.inf, 0, 0, 0
        self._planned, size = run.planned, options.batch_size
        self.steps_per_epoch = -(-len(train_tokens) // size)
        if self._planned is not None:
            self.steps_per_epoch = len(self._planned.batches(size))
        self.steps = options.num_train_steps or options.epochs * self.steps_per_epoch
        self.epochs = -(-self.steps // self.steps_per_epoch)
        self.seen = None if self._planned is None else self._planned.seen(self.steps, size)
        repeat = None if self.seen is None else self.seen.effective_repeat
        self.rates = run_rates(options, self.steps, run.schedule, repeat)
        self.history: dict[str, list[dict[str, float]]] = {"train": [], "val": []}

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience is at its end."""
        stale = self.epoch - self.best_epoch
        return self.step >= self.steps or stale >= self.options.patience

    def run_epoch(self) -> Epoch:
        """Train on as many drawn sequences as there are, then judge both sets."""
        drawn = self._drawn()
        self.network.train()
        for rows in torch.split(drawn, self.options.batch_size)[: self.steps - self.step]:
            self._step(self._train[rows])
        self.epoch += 1
        train, val = self.judge(self._train), self.judge(self._val)
        assert train is not None  # the constructor has seen that there are pairs
        judged = val or train
        better = judged.loss < self.best_loss - self.options.min_delta
        if better:
            self.best, self.best_loss, self.best_epoch = (
                copied(self.network),
                judged.loss,
                self.epoch,
            )
        self.history["train"].append({"loss": train.loss, "ppl": train.ppl})
        if val is not None:
            self.history["val"].append({"loss": val.loss, "ppl": val.ppl})
        return Epoch(self.epoch, train, val, better)

    def _drawn(self) -> Tensor:
        if self._planned is not None:
            return torch.from_numpy(self._planned.order(self.epoch, self.options.batch_size))
        return torch.multinomial(
            self._weights, len(self._train), replacement=True, generator=self._noise
        )

    def _step(self, tokens: Tensor) -> None:
        rate = self.rates.at(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self.step += 1
        loss, count = self.network.next_token_loss(tokens, self._noise)
        if count == 0:
            return
        self._optimizer.zero_grad(set_to_none=True)
        (loss / count).backward()  # type: ignore[no-untyped-call]
        if self.options.grad_clip > 0:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.grad_clip)
        self._optimizer.step()

    @torch.no_grad()
    def judge(self, tokens: Tensor) -> Judged | None:
        """Return the loss per next code of a set; None when nothing in it has a next code."""
        self.network.eval()
        total, count = 0.0, 0
        for rows in torch.split(tokens, ROWS_AT_ONCE):
            if len(rows):
                loss, guessed = self.network.next_token_loss(rows)
                total, count = total + float(loss), count + guessed
        if count == 0:
            return None
        loss_per_code = total / count
        if not math.isfinite(loss_per_code):
            raise ContractError(
                "loss", "a finite number", f"{loss_per_code} in epoch {self.epoch}", "Lower --lr."
            )
        low, high = LOSS_RANGE
        ppl = math.exp(min(max(loss_per_code, low), high))
        return Judged(loss_per_code, ppl, count)

    def state(self) -> tuple[Weights, dict[str, Any]]:
        """Return everything a run goes on from: tensors, and plain values."""
        tensors = {
            **with_prefix(NETWORK, copied(self.network)),
            **with_prefix(BEST_WEIGHTS, self.best),
            **with_prefix(OPTIMIZER, optimizer_tensors(self._optimizer)),
            GENERATOR: self._noise.get_state(),
        }
        told = {
            "epoch": self.epoch,
            "step": self.step,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss if self.best_epoch else None,
            "history": self.history,
        }
        if self._planned is not None:
            told[SAMPLER] = self._planned.stream.stored(self.epoch)
        return tensors, told

    def restore(self, tensors: Mapping[str, Tensor], told: Mapping[str, Any]) -> None:
        """Go on from a state; raises ContractError when it belongs to another network."""
        try:
            network = under_prefix(NETWORK, tensors)
            self.network.load_state_dict(network)
            restore_optimizer(self._optimizer, under_prefix(OPTIMIZER, tensors))
            self._noise.set_state(tensors[GENERATOR])
            best = under_prefix(BEST_WEIGHTS, tensors)
            self.best = {name: best[name] for name in network}
            self.epoch, self.best_epoch = int(told["epoch"]), int(told["best_epoch"])
            self.step = int(told.get("step", self.epoch * self.steps_per_epoch))
            self.best_loss = math.inf if told["best_loss"] is None else float(told["best_loss"])
            self.history = {kind: list(told["history"][kind]) for kind in ("train", "val")}
        except (RuntimeError, KeyError, TypeError, ValueError) as problem:
            line = str(problem).splitlines()[0]
            raise ContractError(
                "training state", "one of this network", f"another ({line})"
            ) from problem
        if self._planned is not None:
            self._planned.stream.restore(self.epoch, told.get(SAMPLER) or {})


def copied(network: nn.Module) -> Weights:
    """Return copies of a network's weights on the CPU: later steps leave them alone."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in network.state_dict().items()
    }
