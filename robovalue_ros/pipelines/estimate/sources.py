"""Which recordings a run looks at: the lists of teleoperation, rollouts and interventions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.types import Finding
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.recordings import Readers, Recording

FAILURE, SUCCESS = "rollouts_failure", "rollouts_success"
TELEOP, INTERVENTION = "teleop", "intervention"
FOLDERS = {FAILURE: "failure", SUCCESS: "success"}
# Which lists each choice of --score-sources holds, in the order in which they are scored.
LISTS = {
    "rollouts": (FAILURE, SUCCESS),
    "teleop": (TELEOP,),
    "dataset": (FAILURE, SUCCESS, INTERVENTION),
    "all": (FAILURE, SUCCESS, TELEOP, INTERVENTION),
}
FILES = "episode_*.hdf5"
SUB_FOLDERS = ("failure", "intervention", "success", "teleop")


@dataclass(frozen=True, slots=True)
class Lists:
    """Recordings by source, and what was noticed while listing them."""

    by_source: dict[str, tuple[Recording, ...]]
    findings: tuple[Finding, ...]

    def to_score(
        self, config: EstimateConfig, without: Sequence[Recording] = ()
    ) -> tuple[Recording, ...]:
        """Return what is scored, in order; raises ConfigError when that is nothing.

        A recording that two lists hold is scored once, as the first has it: its values have one
        file. without: references that are taken from the rollouts.
        """
        taken = {item.path for item in without}
        most = {
            FAILURE: config.max_score_rollouts_failure_episodes,
            SUCCESS: config.max_score_rollouts_success_episodes,
        }
        chosen: list[Recording] = []
        for source in LISTS[config.score_sources]:
            left = [item for item in self.by_source.get(source, ()) if item.path not in taken]
            chosen += left[: most.get(source)]
            taken |= {item.path for item in left}
        chosen = chosen[: config.max_score_episodes]
        if not chosen:
            wanted = ", ".join(LISTS[config.score_sources])
            raise ConfigError(
                f"--score-sources {config.score_sources} finds no episode ({wanted})",
                "episodes to score", "Check the folders and --score-sources.",
            )  # fmt: skip
        return tuple(chosen)


def list_recordings(config: EstimateConfig, readers: Readers) -> Lists:
    """List every recording that the options point to; raises ConfigError, DataError."""
    found: dict[str, tuple[Recording, ...]] = {}
    findings: list[Finding] = []
    if config.teleop_hdf5_dir is not None:
        found[TELEOP] = _listed(config.teleop_hdf5_dir, TELEOP, readers)
    rollouts = config.dataset_hdf5_dir or config.rollouts_hdf5_dir
    if rollouts is not None:
        found |= _rollouts(rollouts, readers, findings)
    interventions = intervention_folder(config)
    if interventions is not None:
        found[INTERVENTION] = _listed(interventions, INTERVENTION, readers)
    if not found:
        raise ConfigError(
            "no folder of episodes is given",
            "--teleop-hdf5-dir for demonstrations and --rollouts-hdf5-dir or --dataset-hdf5-dir",
            "Every readable format will do, not only HDF5.",
        )  # fmt: skip
    return Lists(found, tuple(findings))


def intervention_folder(config: EstimateConfig) -> Path | None:
    """Return the folder of human corrections: the one that is named, or the data set's."""
    if config.intervention_hdf5_dir is not None or config.dataset_hdf5_dir is None:
        return config.intervention_hdf5_dir
    default = config.dataset_hdf5_dir / "intervention"
    return default if default.is_dir() else None


def _rollouts(
    folder: Path, readers: Readers, findings: list[Finding]
) -> dict[str, tuple[Recording, ...]]:
    _require_there(folder)
    if any((folder / name).is_dir() for name in FOLDERS.values()):
        return {
            source: _listed(folder / name, source, readers)
            for source, name in FOLDERS.items()
            if (folder / name).is_dir()
        }
    if (folder / "intervention").is_dir():
        return {}
    return _by_label(folder, readers, findings)


def _by_label(
    folder: Path, readers: Readers, findings: list[Finding]
) -> dict[str, tuple[Recording, ...]]:
    """Split one data set by the success that its episodes tell."""
    parted: dict[str, list[Recording]] = {FAILURE: [], SUCCESS: []}
    unlabelled = 0
    for recording in _listed(folder, SUCCESS, readers):
        try:
            episode = readers.open(recording)
        except DataError:
            # Listed as a success so that scoring meets the damage and reports it there.
            parted[SUCCESS].append(recording)
            continue
        episode.close()
        unlabelled += episode.success is None
        source = SUCCESS if episode.success else FAILURE
        parted[source].append(
            Recording(source, recording.data, recording.episode_id, recording.path)
        )
    if unlabelled:
        findings.append(
            Finding(
                "warning", str(folder),
                f"{unlabelled} episodes do not say whether they succeeded; they count as failures",
                "Curves that know the outcome need labels; --causal does not.",
            )
        )  # fmt: skip
    return {source: tuple(members) for source, members in parted.items()}


def _listed(folder: Path, source: str, readers: Readers) -> tuple[Recording, ...]:
    _require_there(folder)
    root = folder.resolve()
    files = _files(root)
    if files:
        return tuple(Recording(source, file, file.stem, file) for file in files)
    if root.is_dir() and not any(root.iterdir()):
        return ()
    reader = readers.of(root)
    ids = reader.episode_ids()
    if root.is_file() and len(ids) == 1:
        return (Recording(source, root, ids[0], root),)
    return tuple(Recording(source, root, name, root / name) for name in ids)


def _files(root: Path) -> list[Path]:
    """Return the files of single episodes in a folder, or in its labelled sub-folders."""
    if not root.is_dir():
        return []
    return sorted(root.glob(FILES)) or [
        file for name in SUB_FOLDERS for file in sorted((root / name).glob(FILES))
    ]


def _require_there(folder: Path) -> None:
    if not folder.exists():
        raise DataError(folder, "no such file or folder", "a folder of episodes")


def shortest(
    recordings: Sequence[Recording], lengths: Callable[[Recording], int | None], share: float
) -> tuple[Recording, ...]:
    """Return the shortest `share` of the recordings that have a length, shortest first.

    lengths: trimmed frames, None for one that cannot be used. At least one is kept.
    """
    measured = [(length, item) for item in recordings if (length := lengths(item)) is not None]
    if not measured:
        raise DataError(
            recordings[0].data.parent if recordings else "rollouts/success",
            "no successful rollout can be used as a reference", "at least one",
        )  # fmt: skip
    measured.sort(key=lambda pair: pair[0])
    keep = max(1, math.ceil(share * len(measured)))
    return tuple(item for _, item in measured[:keep])
