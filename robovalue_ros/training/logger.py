"""What a training says about itself: JSON lines always, TensorBoard and W&B where asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from robovalue_ros.contracts.errors import ConfigError, DataError, MissingExtra
from robovalue_ros.data.atomic import write_text

LOG_FILE = "log.jsonl"
Kind = Literal["start", "step", "epoch", "warning", "end"]


class Sink(Protocol):
    """Another place that numbers are sent to."""

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class TrainingLogger:
    """Writes one line per event to `log.jsonl` and passes numbers on to the sinks.

    A run that goes on from step `after` drops the lines of later steps first: what is done again is
    not told twice. Numbers that are none become null.
    """

    def __init__(
        self, folder: Path, sinks: Sequence[Sink] = (), *, after: int | None = None
    ) -> None:
        self._sinks = tuple(sinks)
        path = folder / LOG_FILE
        folder.mkdir(parents=True, exist_ok=True)
        kept = [] if after is None else [line for line in read_log(path) if line["step"] <= after]
        write_text(path, "".join(f"{_line(line)}\n" for line in kept))
        self._stream = path.open("a", encoding="utf-8")

    def log(self, kind: Kind, step: int, values: Mapping[str, Any]) -> None:
        """Write one event; `step` is the number of steps behind us."""
        self._stream.write(f"{_line({'kind': kind, 'step': step, **values})}\n")
        self._stream.flush()
        numbers = {
            name: float(value)
            for name, value in values.items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        if numbers:
            for sink in self._sinks:
                sink.log(numbers, step)

    def close(self) -> None:
        self._stream.close()
        for sink in self._sinks:
            sink.close()


class SilentLogger:
    """Says nothing: for processes other than the first."""

    def log(self, kind: Kind, step: int, values: Mapping[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


Logger = TrainingLogger | SilentLogger


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the events of a log; a line that was cut off is passed over, no file gives none."""
    if not path.is_file():
        return []
    events = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as problem:
        raise DataError(path, problem.strerror or str(problem), "a readable log") from problem
    for line in lines:
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("step"), int):
                events.append(event)
    return events


def open_sinks(
    folder: Path, *, tensorboard: bool = False, wandb: str | None = None, name: str = "",
    settings: Mapping[str, Any] | None = None, after: int | None = None,
) -> tuple[Sink, ...]:  # fmt: skip
    """Return the sinks that were asked for; raises MissingExtra or ConfigError
    where one is not installed.

    wandb: the project's name. after: the step that a resumed run goes on from.
    """
    sinks: list[Sink] = []
    if tensorboard:
        sinks.append(TensorBoardSink(folder / "tensorboard", after))
    if wandb:
        sinks.append(WandbSink(folder, wandb, name, settings or {}))
    return tuple(sinks)


class TensorBoardSink:
    """Event files that `tensorboard --logdir` shows."""

    def __init__(self, folder: Path, after: int | None) -> None:
        try:
            module = import_module("torch.utils.tensorboard")
        except ModuleNotFoundError as problem:
            raise MissingExtra("tensorboard", "train", "writing for TensorBoard") from problem
        purge = None if after is None else after + 1
        self._writer = module.SummaryWriter(str(folder), purge_step=purge)

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WandbSink:
    """A run of Weights & Biases; a resumed training goes on in the same run."""

    def __init__(self, folder: Path, project: str, name: str, settings: Mapping[str, Any]) -> None:
        try:
            module = import_module("wandb")
        except ModuleNotFoundError as problem:
            raise ConfigError(
                "sending numbers to Weights & Biases needs the package wandb, which is not installed",
                hint="Install it with: pip install wandb, or leave --wandb out.",
            ) from problem
        id_file = folder / "wandb_run_id.txt"
        known = id_file.read_text(encoding="utf-8").strip() if id_file.is_file() else None
        self._run = module.init(
            project=project, name=name or None, id=known, resume="allow" if known else None,
            dir=str(folder), config=dict(settings),
        )  # fmt: skip
        if known is None:
            write_text(id_file, f"{self._run.id}\n")

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


def _line(event: Mapping[str, Any]) -> str:
    return json.dumps({name: _plain(value) for name, value in event.items()}, allow_nan=False)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
