"""Learn from the references, then score recordings in handfuls: the work common to methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress, Tick
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.episode import read_values
from robovalue_ros.data.value_store.reuse import can_reuse
from robovalue_ros.pipelines.estimate.clips import reference_series, scored_series
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.embedded import SeriesEmbedder
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.method_run import MethodRun
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.pipelines.estimate.references import ReferenceSet, reference_stage
from robovalue_ros.value.episodes import EmbeddedEpisode, NotScored

M = TypeVar("M")
C = TypeVar("C")

# Enough for full batches across recordings; little enough to lose little and to stay small.
CLIPS_AT_ONCE = 4096
RECORDINGS_AT_ONCE = 32


@dataclass
class Scoring(Generic[M, C]):
    """One method at work. files: where the values of each recording go, by its key.

    make_method: makes the method for a set of references, of which ids tell.
    """

    config: EstimateConfig
    make_method: Callable[[ReferenceSet], MethodRun[M, C]]
    references: ReferenceSet
    embedder: SeriesEmbedder
    journal: Journal
    progress: Progress
    files: Mapping[str, Path]
    method: MethodRun[M, C] = field(init=False)
    model: M | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.method = self.make_method(self.references)

    def run(self, scored: Sequence[Prepared], tick: Tick) -> None:
        """Score what is not there already; what an earlier run learned is taken if it fits."""
        self.model = self.method.stored(self.config.out_cache_dir)
        if self.model is None:
            self.model = self._learn()
        waiting = []
        for prepared in scored:
            if not self.method.needs_all and self._is_there(prepared, None):
                tick(1)
            else:
                waiting.append(prepared)
        self.journal.find(*self.method.findings(self.model))
        kept: list[tuple[Prepared, C]] = []
        for handful in self._handfuls(waiting):
            measured = self._measured(self.model, handful, tick)
            if self.method.needs_all:
                kept += measured
            else:
                self._finish(self.model, measured, tick)
        self._finish(self.model, kept, tick)

    def _is_there(self, prepared: Prepared, curve: C | None) -> bool:
        """Tell whether stored values are what would come out; enters them in the journal."""
        file = self.files[prepared.key]
        if not file.is_file():
            return False
        try:
            stored = read_values(file)
        except DataError as problem:
            self.journal.log("WARNING", f"{problem} It is made anew.")
            return False
        wanted = self.method.scoring_cfg(prepared, curve)
        reason = can_reuse(stored, wanted, compat=self.config.compatible)
        if reason is not None:
            self.journal.log("INFO", f"{file.name} is made anew: {reason}")
            return False
        self.journal.done(prepared.recording, self.method.stage, file, reused=True)
        return True

    def _learn(self) -> M:
        references = self.references.usable
        stage = reference_stage(self.config)
        episodes: list[EmbeddedEpisode] = []
        damaged: set[str] = set()
        options = self.config.method()
        with self.progress.stage("demonstrations", len(references)) as tick:
            for handful in self._handfuls(references):
                wanted = [(item, reference_series(item.length, options)) for item in handful]
                found = self.embedder.embed(wanted)
                for prepared, episode in zip(handful, found, strict=True):
                    if isinstance(episode, DataError):
                        self.journal.failed(prepared.recording, stage, str(episode))
                        damaged.add(prepared.key)
                    else:
                        episodes.append(episode)
                tick(len(handful))
        out = self.config.out_cache_dir
        if damaged and not self.config.compatible:
            # Ids name what was learned from, not what was hoped for.
            self.references = self.references.without(damaged)
            self.method = self.make_method(self.references)
            stored = self.method.stored(out) if episodes else None
            if stored is not None:
                return stored
        try:
            model = self.method.fit(episodes, self.progress)
        except ContractError as problem:
            folder = references[0].recording.data.parent
            raise DataError(folder, f"nothing can be learned: {problem}") from problem
        self._tell_left_out(model)
        self.method.save(out, model, episodes)
        return model

    def _tell_left_out(self, model: M) -> None:
        names = {item.key: item.recording.path.name for item in self.references.usable}
        for missing in self.method.left_out(model):
            self.journal.find(Finding("warning", names[missing.episode_id], missing.reason))

    def _handfuls(self, recordings: Sequence[Prepared]) -> Iterator[list[Prepared]]:
        options = self.config.method()
        handful: list[Prepared] = []
        clips = 0
        for prepared in recordings:
            handful.append(prepared)
            clips += len(scored_series(prepared.length, options).keys)
            if clips >= CLIPS_AT_ONCE or len(handful) == RECORDINGS_AT_ONCE:
                yield handful
                handful, clips = [], 0
        if handful:
            yield handful

    def _measured(
        self, model: M, handful: Sequence[Prepared], tick: Tick
    ) -> list[tuple[Prepared, C]]:
        options = self.config.method()
        wanted = [(item, scored_series(item.length, options)) for item in handful]
        embedded = self.embedder.embed(wanted)
        usable: list[tuple[Prepared, EmbeddedEpisode]] = []
        for prepared, episode in zip(handful, embedded, strict=True):
            if isinstance(episode, DataError):
                self._failed(prepared, str(episode), tick)
            else:
                usable.append((prepared, episode))
        curves = self.method.measure(model, [episode for _, episode in usable])
        measured: list[tuple[Prepared, C]] = []
        for (prepared, _), curve in zip(usable, curves, strict=True):
            if isinstance(curve, NotScored):
                self._failed(prepared, curve.reason, tick)
            else:
                measured.append((prepared, curve))
        return measured

    def _failed(self, prepared: Prepared, reason: str, tick: Tick) -> None:
        self.journal.failed(prepared.recording, self.method.stage, reason)
        tick(1)

    def _finish(self, model: M, measured: Sequence[tuple[Prepared, C]], tick: Tick) -> None:
        if not measured:
            return
        curves = self.method.finish(model, [curve for _, curve in measured])
        for (prepared, _), curve in zip(measured, curves, strict=True):
            if not (self.method.needs_all and self._is_there(prepared, curve)):
                file = self.files[prepared.key]
                cfg: dict[str, Any] = self.method.scoring_cfg(prepared, curve)
                self.method.write(file, curve, prepared, cfg)
                self.journal.done(prepared.recording, self.method.stage, file, reused=False)
            tick(1)
