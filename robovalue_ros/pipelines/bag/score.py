"""Score bags: one pass from the first message to the last, results beside the original messages.

Causal by construction: the same stream as on the robot sees the same moments in the same order.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress, Tick
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.rosbag.bags import ID_KEY, Bag, find_bags, recorded_id
from robovalue_ros.data.rosbag.copying import BagCopy, copied_bag
from robovalue_ros.data.rosbag.score_table import ScoreTable, score_table
from robovalue_ros.data.rosbag.stream import BagStream, RawMessage
from robovalue_ros.data.rosbag.value_topics import OURS, ValueMessages
from robovalue_ros.pipelines.bag.cameras import Chosen, choose
from robovalue_ros.pipelines.bag.config import BagScoreConfig
from robovalue_ros.pipelines.bag.moments import MomentMaker, PendingMoment
from robovalue_ros.pipelines.bag.outputs import (
    BagFiles,
    BagScore,
    files_of,
    fingerprint,
    kept_score,
    named,
    refuse_overwriting,
    write_summary,
)
from robovalue_ros.pipelines.bag.tries import Tries
from robovalue_ros.value.stream.live import ValueStream

DEFAULT_PROGRESS = SilentProgress()
Status = Literal["written", "reused", "error"]
# Decoding beyond this many threads is faster than one stream can look.
MOST_DECODERS = 4
# Moments whose pictures may be decoded at once: enough to keep the decoders busy.
AHEAD = 12
TICKS = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one bag. score: None when nothing of it could be scored."""

    name: str
    bag: Bag
    status: Status
    files: BagFiles
    score: BagScore | None
    problem: str = ""


def listed_bags(paths: Sequence[Path], out: Path | None = None) -> list[tuple[str, Bag]]:
    """Return the bags at or below some paths with a name each; those below `out` are results.

    Raises DataError when there is none.
    """
    bags: dict[Path, Bag] = {}
    for path in paths:
        for bag in find_bags(path):
            resolved = bag.path.resolve()
            if out is None or path.resolve() == resolved or out.resolve() not in resolved.parents:
                bags.setdefault(resolved, bag)
    if not bags:
        where = ", ".join(map(str, paths)) or "no path"
        raise DataError(where, "holds no bag", "bag folders, .mcap or .db3 files")
    return named(list(bags.values()))


def score_bags(
    config: BagScoreConfig, stream: ValueStream, progress: Progress = DEFAULT_PROGRESS
) -> Iterator[Outcome]:
    """Score every bag and yield what became of it; a bag that fails stops no other.

    stream: over the model; it is reset for every try. What an earlier run finished is kept.
    """
    bags = listed_bags(config.bags, config.out)
    for name, bag in bags:
        refuse_overwriting(config.out, name, bag)
    with progress.stage("bags", len(bags)) as tick:
        for name, bag in bags:
            outcome = _outcome(name, bag, config, stream, progress)
            if outcome.problem:
                progress.say(outcome.problem)
            yield outcome
            tick(1)


def _outcome(
    name: str, bag: Bag, config: BagScoreConfig, stream: ValueStream, progress: Progress
) -> Outcome:
    files = files_of(config.out, name)
    try:
        opened = BagStream(bag)
        wanted = fingerprint(bag, opened, config, stream.model.id)
        kept = None if config.overwrite else kept_score(files, wanted)
        if kept is not None:
            return Outcome(name, bag, "reused", files, kept)
        chosen = choose(opened, config.choice, stream.model.cameras)
        with progress.stage(name, opened.count) as tick:
            score = _score(name, opened, chosen, files, config, stream, tick)
        score = replace(score, fingerprint=wanted)
        write_summary(files, score)
        return Outcome(name, bag, "written", files, score)
    except DataError as problem:
        return Outcome(name, bag, "error", files, None, str(problem))
    except OSError as problem:
        return Outcome(name, bag, "error", files, None, f"{bag.path}: {problem.strerror}")


def _score(
    name: str,
    opened: BagStream,
    chosen: Chosen,
    files: BagFiles,
    config: BagScoreConfig,
    stream: ValueStream,
    tick: Tick,
) -> BagScore:
    files.summary.unlink(missing_ok=True)
    files.bag.parent.mkdir(parents=True, exist_ok=True)
    model_id = stream.model.id
    recorded = recorded_id(opened.bag.path)
    custom = {"robovalue_model": model_id} | ({ID_KEY: recorded} if recorded else {})
    about = {"model": model_id, "bag": opened.bag.id, "cameras": ",".join(chosen.cameras)}
    decoders = min(MOST_DECODERS, os.cpu_count() or 1)
    tries = Tries(stream, int(config.episode_gap_s * 1e9))
    with (
        copied_bag(files.bag, config.storage, config.packing, custom) as copy,
        score_table(files.table, about) as table,
        ThreadPoolExecutor(decoders, "decode") as pool,
    ):
        maker = MomentMaker(chosen.cameras, chosen.tolerance_ns, pool, config.choice.color == "bgr")
        run = _Run(copy, table, maker, tries, ValueMessages(model_id))
        run.all(opened, chosen, config.episode_topic, tick)
        if not tries.frames:
            raise DataError(
                opened.bag.path, f"no picture of {', '.join(chosen.cameras.values())} can be used",
                "colour images", "; ".join(note.found for note in maker.findings()),
            )  # fmt: skip
    findings = (*opened.findings, *chosen.notes, *maker.findings(), *run.findings())
    return BagScore(
        name, str(opened.bag.path), model_id, chosen.cameras, run.messages, tries.frames,
        run.seconds, tuple(run.last), dict(run.events), "", findings,
    )  # fmt: skip


class _Run:
    """One pass over one bag: what was read waits in order until its moments are scored."""

    def __init__(
        self,
        copy: BagCopy,
        table: ScoreTable,
        maker: MomentMaker,
        tries: Tries,
        said: ValueMessages,
    ) -> None:
        self._copy, self._table, self._maker = copy, table, maker
        self._tries, self._said = tries, said
        # None: a try ends here.
        self._queue: deque[RawMessage | PendingMoment | None] = deque()
        self._ahead = 0
        self._dropped = self._blind = 0
        self._span_ns = 0
        self._first_ns = self._span_before = 0
        self.messages = 0
        self.events: Counter[str] = Counter()
        self.last: list[float] = []

    @property
    def seconds(self) -> float:
        """How long the tries lasted together."""
        return self._span_ns / 1e9

    def all(self, opened: BagStream, chosen: Chosen, episode_topic: str | None, tick: Tick) -> None:
        """Read the bag to its end."""
        if episode_topic is not None and episode_topic not in opened.topics:
            raise DataError(opened.bag.path, f"has no topic {episode_topic!r}", "--episode-topic")
        for topic in self._said.topics.values():
            self._copy.declare(topic)
        cameras = {topic: opened.topics[topic].topic.key for topic in chosen.cameras.values()}
        log_ns = 0
        for message in opened.messages():
            log_ns = message.log_ns
            topic = message.topic
            if topic.name in OURS:
                self._dropped += 1
            else:
                self._queue.append(message)
                self.messages += 1
            if topic.name == episode_topic:
                self._enter(self._maker.flush(log_ns))
                self._queue.append(None)
            if cameras.get(topic.name) == topic.key:
                self._enter(self._maker.take(message))
            self._leave(AHEAD)
            if self.messages % TICKS == 0:
                tick(TICKS)
        self._enter(self._maker.flush(log_ns))
        self._leave(0)

    def findings(self) -> list[Finding]:
        """Tell what is worth knowing about the pass itself."""
        found = []
        if self._dropped:
            text = f"{self._dropped} messages of an earlier score were replaced"
            found.append(Finding("note", ", ".join(sorted(OURS)), text))
        if self._blind:
            text = f"{self._blind} moments have no usable picture and no value"
            found.append(Finding("warning", "cameras", text))
        if self._tries.late:
            text = f"{self._tries.late} moments are older than one before and are left out"
            found.append(Finding("warning", "cameras", text))
        return found

    def _enter(self, moments: list[PendingMoment]) -> None:
        self._queue.extend(moments)
        self._ahead += len(moments)

    def _leave(self, most: int) -> None:
        """Write what is ready, and wait for pictures only when too many moments are ahead."""
        queue = self._queue
        while queue:
            head = queue[0]
            if isinstance(head, RawMessage):
                self._copy.write(head)
            elif head is None:
                self._tries.end()
            elif self._ahead > most or head.done():
                self._ahead -= 1
                self._push(head)
            else:
                return
            queue.popleft()

    def _push(self, moment: PendingMoment) -> None:
        ready = self._maker.frame(moment)
        if ready is None:
            self._blind += 1
            return
        scored = self._tries.push(*ready)
        if scored is None:
            return
        sample, log_ns = scored.sample, moment.log_ns
        if scored.frame == 0:
            self._first_ns = sample.stamp_ns
            self._span_before = self._span_ns
            self.last.append(sample.value)
        self.last[-1] = sample.value
        self._span_ns = self._span_before + sample.stamp_ns - self._first_ns
        self._table.add(sample, log_ns, scored.episode, scored.frame)
        for message in self._said.of_sample(sample, log_ns):
            self._copy.write(message)
        for event in scored.events:
            self.events[event.kind] += 1
            self._copy.write(self._said.of_event(event, log_ns))
