"""`robovalue segment stream`: everything that a source holds, one video after the other or at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

from robovalue_ros.contracts.errors import ContractError, DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress, Tick
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.video.clip import check_codec
from robovalue_ros.pipelines.recordings import Opener
from robovalue_ros.pipelines.segment.pool import Jobs
from robovalue_ros.pipelines.segment.stream_config import SegmentStreamConfig, stream_options
from robovalue_ros.pipelines.segment.stream_cut import (
    CutResult,
    Parts,
    Watcher,
    cut_live,
    cut_recorded,
)
from robovalue_ros.pipelines.segment.stream_results import ResultsFolder, results_folder
from robovalue_ros.pipelines.segment.stream_sources import Footage, Item, find_items, open_footage
from robovalue_ros.pipelines.segment.stream_threshold import given_threshold

Status = Literal["cut", "skipped", "damaged"]
PartsMaker = Callable[[SegmentStreamConfig], Parts]
"""Makes what reads windows; pickles, since every process makes its own."""
WatcherMaker = Callable[[SegmentStreamConfig, ResultsFolder], Watcher | None]
DEFAULT_PROGRESS = SilentProgress()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a video. note: why it was left alone, or what is wrong with it."""

    name: str
    status: Status
    result: CutResult | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """All videos of a source, in its order. live: it was a camera or a network stream."""

    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    live: bool = False

    def count(self, status: Status) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class _Job:
    item: Item
    gpu: int | None


def segment_stream(
    config: SegmentStreamConfig,
    opener: Opener,
    make_parts: PartsMaker,
    make_watcher: WatcherMaker | None = None,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> StreamResult:
    """Cut everything that a source holds; damaged videos are told and passed over.

    Finished videos are left alone, unfinished ones begun anew, so a run that was killed goes on when
    it is given again. Raises ConfigError, and DataError when there is nothing to cut.
    """
    check_codec(config.output.codec, config.output.ext)
    given_threshold(config.cut)  # a wrong report is told before anything is begun
    stream_options(config, 0.0)
    items = find_items(config, opener)
    if items[0].what == "live":
        outcome = _watch(items[0], config, make_parts, make_watcher, progress)
        return StreamResult((outcome,), (), live=True)
    todo, outcomes = _sorted(items, config)
    workers = min(config.run.workers, len(todo)) if todo else 1
    if workers == 1:
        if todo:
            _parts(config, make_parts)  # so is a tokenizer that cannot be read: no video's fault
        for item in todo:
            outcomes[item.key] = _alone(item, config, opener, make_parts, make_watcher, progress)
    else:
        outcomes |= _together(todo, config, opener, make_parts, make_watcher, workers, progress)
    listed = tuple(outcomes[item.key] for item in items)
    return StreamResult(listed, tuple(_findings(listed)))


def _sorted(
    items: list[Item], config: SegmentStreamConfig
) -> tuple[list[Item], dict[str, Outcome]]:
    """Part what is to be cut from what is left alone."""
    todo, outcomes = [], {}
    for item in items:
        state = results_folder(config, item).state()
        if not config.output.skip_if_exists or state in ("empty", "unfinished"):
            todo.append(item)
            continue
        note = {
            "finished": "",
            "foreign": "results of another tool are there",
            "other settings": "it was cut with other settings; --no-skip-if-exists cuts it again",
        }[state]
        outcomes[item.key] = Outcome(item.name, "skipped", None, note)
    return todo, outcomes


def _alone(
    item: Item,
    config: SegmentStreamConfig,
    opener: Opener,
    make_parts: PartsMaker,
    make_watcher: WatcherMaker | None,
    progress: Progress,
) -> Outcome:
    try:
        with closing(open_footage(item, opener)) as footage:
            with progress.stage(item.name, len(footage.stamps_ns)) as tick:
                busy = partial(progress.say, f"{item.name}: another run cuts it; waiting for it")
                result = _cut(footage, config, make_parts, make_watcher, tick, busy)
    except (DataError, ContractError) as problem:
        return _damaged(item, str(problem), progress)
    return _outcome(item, result)


def _together(
    todo: list[Item],
    config: SegmentStreamConfig,
    opener: Opener,
    make_parts: PartsMaker,
    make_watcher: WatcherMaker | None,
    workers: int,
    progress: Progress,
) -> dict[str, Outcome]:
    gpus = config.run.gpu_ids
    jobs = [
        _Job(item, gpus[number % len(gpus)] if gpus else config.run.gpu_id)
        for number, item in enumerate(todo)
    ]
    work = partial(
        _work, config=_without_window(config), opener=opener, make_parts=make_parts,
        make_watcher=make_watcher,
    )  # fmt: skip
    outcomes = {}
    with progress.stage("videos", len(jobs)) as tick:
        for job, result in Jobs(work, _name).run(jobs, workers):
            if isinstance(result, DataError):
                outcomes[job.item.key] = _damaged(job.item, str(result), progress)
            else:
                outcomes[job.item.key] = _outcome(job.item, result)
            tick(1)
    return outcomes


def _work(
    job: _Job,
    config: SegmentStreamConfig,
    opener: Opener,
    make_parts: PartsMaker,
    make_watcher: WatcherMaker | None,
) -> CutResult | None:
    config = replace(config, run=replace(config.run, gpu_id=job.gpu))
    try:
        with closing(open_footage(job.item, opener)) as footage:
            return _cut(footage, config, make_parts, make_watcher, lambda _: None)
    except ContractError as problem:  # frames that do not fit together: damage of this video
        raise DataError(job.item.place, str(problem)) from problem


def _cut(
    footage: Footage,
    config: SegmentStreamConfig,
    make_parts: PartsMaker,
    make_watcher: WatcherMaker | None,
    tick: Tick,
    busy: Callable[[], None] = lambda: None,
) -> CutResult | None:
    """Cut a video; None: another run has done it meanwhile."""
    folder = results_folder(config, footage.item)
    parts = _parts(config, make_parts)
    with folder.held(busy):
        if config.output.skip_if_exists and folder.state() == "finished":
            return None
        watcher = None if make_watcher is None else make_watcher(config, folder)
        result = cut_recorded(footage, folder, config, parts, tick, watcher)
        folder.finish({"windows": result.windows, "segments": result.segments})
    return result


def _watch(
    item: Item,
    config: SegmentStreamConfig,
    make_parts: PartsMaker,
    make_watcher: WatcherMaker | None,
    progress: Progress,
) -> Outcome:
    folder = results_folder(config, item)
    parts = _parts(config, make_parts)
    watcher = None if make_watcher is None else make_watcher(config, folder)
    with progress.stage(folder.path.name) as tick:
        result = cut_live(item, folder, config, parts, tick, watcher)
    folder.finish({"windows": result.windows, "segments": result.segments})
    return Outcome(folder.path.name, "cut", result)


@lru_cache(maxsize=4)
def _parts(config: SegmentStreamConfig, make_parts: PartsMaker) -> Parts:
    return make_parts(config)


def _without_window(config: SegmentStreamConfig) -> SegmentStreamConfig:
    return replace(config, look=replace(config.look, show=False))


def _outcome(item: Item, result: CutResult | None) -> Outcome:
    return Outcome(item.name, "skipped" if result is None else "cut", result)


def _damaged(item: Item, problem: str, progress: Progress) -> Outcome:
    progress.say(f"left out {item.name}: {problem}")
    return Outcome(item.name, "damaged", None, problem)


def _name(job: _Job) -> str:
    return job.item.key


def _findings(outcomes: tuple[Outcome, ...]) -> Iterator[Finding]:
    for outcome in outcomes:
        if outcome.status == "damaged":
            yield Finding("error", outcome.name, outcome.note)
        elif outcome.note:
            yield Finding("note", outcome.name, outcome.note)
