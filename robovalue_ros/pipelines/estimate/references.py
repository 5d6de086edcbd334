"""The successful episodes that a run learns from."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.ids import References
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.prepare import Prepared, Skipped, prepare, recording_id
from robovalue_ros.pipelines.estimate.sources import SUCCESS, TELEOP, Lists, shortest
from robovalue_ros.pipelines.recordings import Readers, Recording
from robovalue_ros.value.config import ProgressConfig

SCAN = "scan_success_len"


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSet:
    """usable: those that can be read and cut. told: what ids are made of."""

    usable: tuple[Prepared, ...]
    told: References
    chosen: tuple[Recording, ...]

    def without(self, keys: Container[str]) -> ReferenceSet:
        """Return the set without some references whose frames turned out damaged."""
        usable = tuple(item for item in self.usable if item.key not in keys)
        told = replace(self.told, ids=tuple(item.file_id for item in usable))
        return replace(self, usable=usable, told=told)


def reference_stage(config: EstimateConfig) -> str:
    """Return the name that rows about references have."""
    return "success_ref" if isinstance(config.method(), ProgressConfig) else "seg_success_ref"


def choose_references(
    lists: Lists, readers: Readers, config: EstimateConfig, journal: Journal, progress: Progress
) -> ReferenceSet:
    """Choose the references of the success mode; raises when none is usable.

    An unusable one is entered in the journal and left out.
    """
    chosen = _chosen(lists, readers, config, journal)
    usable: list[Prepared] = []
    with progress.stage("reading demonstrations", len(chosen)) as tick:
        for recording in chosen:
            found = ready(recording, readers, config, journal, reference_stage(config))
            if found is not None and found.is_success:
                usable.append(found)
            elif found is not None:
                text = "says that it failed, so nothing is learned from it"
                journal.find(Finding("warning", recording.path.name, text))
            tick(1)
    if not usable:
        raise DataError(
            chosen[0].data.parent, f"none of {len(chosen)} demonstrations can be used",
            "at least one", f"{journal.findings[0].found}" if journal.findings else "",
        )  # fmt: skip
    # Stored ids count every chosen file, also those that could not be used.
    named = chosen if config.compatible else [item.recording for item in usable]
    told = References(
        tuple(recording_id(recording, readers, config) for recording in named),
        config.success_mode, config.shortest_p, config.max_success_episodes,
    )  # fmt: skip
    return ReferenceSet(tuple(usable), told, tuple(chosen))


def ready(
    recording: Recording, readers: Readers, config: EstimateConfig, journal: Journal, stage: str
) -> Prepared | None:
    """Prepare a recording; what stands in the way is entered in the journal."""
    try:
        found = prepare(recording, readers, config)
    except DataError as problem:
        journal.failed(recording, stage, str(problem))
        return None
    if isinstance(found, Skipped):
        journal.skipped(recording, stage, found)
        return None
    return found


def _chosen(
    lists: Lists, readers: Readers, config: EstimateConfig, journal: Journal
) -> tuple[Recording, ...]:
    if config.success_mode == "teleop_all":
        listed = lists.by_source.get(TELEOP, ())
        if not listed:
            raise ConfigError(
                "there are no demonstrations", "--teleop-hdf5-dir with successful episodes",
                "Or take the shortest successful rollouts: --success-mode rollouts_shortest_p",
            )  # fmt: skip
        return listed[: config.max_success_episodes]

    def length(recording: Recording) -> int | None:
        # Stored results trimmed by the action here, whatever the trim signal was.
        signal = "action" if config.compatible else None
        try:
            found = prepare(recording, readers, config, signal=signal)
        except DataError as problem:
            journal.failed(recording, SCAN, str(problem))
            return None
        return None if isinstance(found, Skipped) else found.length

    successes = lists.by_source.get(SUCCESS, ())
    return shortest(successes, length, config.shortest_p)[: config.max_success_episodes]
