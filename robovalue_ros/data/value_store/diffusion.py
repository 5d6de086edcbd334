"""Trained denoisers of the diffusion score: `segmatch50_diffusion_*`.

Four archives of plain arrays and one `.pt` file per task and key. Arrays lie under flat keys such
as `scaler/<task>/<key>/mean`, tasks written as in `centers.py`. Every file carries the id of the
configuration, and the list of models, which is written last, the checksum of each model; so a run
that broke off halfway, or two runs mixed, are noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.config import from_mapping
from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.validate import frozen_array, require
from robovalue_ros.data.plain_npz import write_arrays
from robovalue_ros.data.value_store.centers import quoted
from robovalue_ros.data.value_store.denoiser_file import (
    ADVICE,
    MODEL_PREFIX,
    model_file,
    read_denoiser,
    write_denoiser,
)
from robovalue_ros.data.value_store.ids import BETA_END, BETA_START, cfg_id
from robovalue_ros.data.value_store.npz import Members, read_members
from robovalue_ros.data.value_store.reports import write_report
from robovalue_ros.value.config import SegmentConfig
from robovalue_ros.value.denoise import DiffusionScorer, LatentSpace
from robovalue_ros.value.denoise_options import DenoiserOptions
from robovalue_ros.value.episodes import EmbeddedEpisode
from robovalue_ros.value.fusion import grouped_embeddings, needed_cameras
from robovalue_ros.value.projection import Projection
from robovalue_ros.value.scaling import Floats, NormStats, Scaler

SCALER_FILE = "segmatch50_diffusion_scaler.npz"
PCA_FILE = "segmatch50_diffusion_pca.npz"
MODELS_FILE = "segmatch50_diffusion_models.npz"
TRAIN_FILE = "segmatch50_diffusion_train.npz"
REPORT_FILE = "segmatch50_diffusion_report.json"
LOSSES_TOLD = 10
MOST_LAYERS = 1024

Scorers = Mapping[str, Mapping[str, DiffusionScorer]]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """What a denoiser was trained on: latents (N, d) float32 and their segments (N,) int32."""

    latents_Nd: Floats
    segment_N: NDArray[np.int32]

    def __post_init__(self) -> None:
        latents = frozen_array("latents_Nd", self.latents_Nd, dtype=np.float32, ndim=2)
        segments = np.asarray(self.segment_N, np.int32)
        segments = frozen_array("segment_N", segments, dtype=np.int32, ndim=1)
        require(len(latents) == len(segments), "segment_N", f"{len(latents)} rows", len(segments))
        object.__setattr__(self, "latents_Nd", latents)
        object.__setattr__(self, "segment_N", segments)


def training_rows(
    scorers: Scorers, references: Iterable[EmbeddedEpisode], config: SegmentConfig
) -> dict[str, dict[str, TrainingRows]]:
    """Return what denoisers fitted on `references` by `fit_segments` were trained on.

    References that the fit left out are left out here too; rows of `high` and `wrist` agree.
    """
    segments = np.arange(config.segment_match_num_segments)
    parts: dict[str, dict[str, list[Floats]]] = {}
    for episode in references:
        if episode.task not in scorers:
            continue
        try:
            vectors = episode.take(needed_cameras(config.camera_mode), segments)
        except ContractError:
            continue
        found = grouped_embeddings(vectors, config.camera_mode, config.camera_fusion)
        for key, x_SD in found.items():
            latents = scorers[episode.task][key].space.encode(x_SD)
            parts.setdefault(episode.task, {}).setdefault(key, []).append(latents)
    return {
        task: {
            key: TrainingRows(np.concatenate(rows), np.tile(segments, len(rows)))
            for key, rows in keys.items()
        }
        for task, keys in parts.items()
    }


def write_scorers(
    folder: Path,
    cfg: Mapping[str, Any],
    scorers: Scorers,
    train: Mapping[str, Mapping[str, TrainingRows]] | None = None,
) -> str:
    """Write trained denoisers, task -> key, and return the id that all files carry.

    cfg: see `ids.diffusion_cfg`. train: see `training_rows`; without it nothing can be told about
    samples, and `check-diffusion` cannot judge the segments. Models of other configurations are
    removed once everything is in place.
    """
    made = cfg_id(cfg)
    head = {"diffusion_cfg_id": made}
    scaler: dict[str, Any] = {
        **head, "diffusion_cfg": json.dumps(dict(cfg), sort_keys=True),
    }  # fmt: skip
    pca: dict[str, Any] = dict(head)
    models: dict[str, Any] = dict(head)
    rows: dict[str, Any] = dict(head)
    report: dict[str, dict[str, Any]] = {}
    names = set()
    for task in sorted(scorers):
        for key in sorted(scorers[task]):
            require("/" not in key, "key", "a key of a group", key)
            scorer = scorers[task][key]
            trained = None if train is None else train[task][key]
            where, name = f"{quoted(task)}/{key}", model_file(made, task, key)
            checksum = write_denoiser(folder / name, scorer, made, task, key)
            names.add(name)
            scaler |= _space_arrays(where, scorer.space)
            pca |= _projection_arrays(where, scorer.space.projection)
            models |= {
                f"models/{where}": name, f"sha256/{where}": checksum,
                f"options/{where}": json.dumps(asdict(scorer.options), sort_keys=True),
                f"num_segments/{where}": np.int32(scorer.num_segments),
                f"dim_in/{where}": np.int32(scorer.latent_dim),
                f"losses/{where}": np.array(scorer.losses, np.float64),
            }  # fmt: skip
            if trained is not None:
                rows[f"train/{where}/X"] = trained.latents_Nd
                rows[f"train/{where}/seg_id"] = trained.segment_N
            report.setdefault(task, {})[key] = _told(scorer, trained, folder / name)
    write_arrays(folder / SCALER_FILE, scaler)
    write_arrays(folder / PCA_FILE, pca)
    if train is None:
        (folder / TRAIN_FILE).unlink(missing_ok=True)
    else:
        write_arrays(folder / TRAIN_FILE, rows)
    write_arrays(folder / MODELS_FILE, models)
    write_report(folder / REPORT_FILE, {"cfg_id": made, "cfg": dict(cfg), "tasks": report})
    for path in sorted(folder.glob(f"{MODEL_PREFIX}*.pt")):
        if path.name not in names:
            path.unlink()
    return made


def read_scorers(folder: Path, wanted_id: str) -> dict[str, dict[str, DiffusionScorer]] | None:
    """Read trained denoisers, task -> key; None where none were ever written.

    They give the costs of the ones that were written, to the bit. Raises DataError naming the
    file for any part that is absent, damaged, pickled or of another configuration.
    """
    files = (SCALER_FILE, PCA_FILE, MODELS_FILE)
    if not any((folder / name).exists() for name in files):
        return None
    scaler, pca, models = (_archive(folder / name, wanted_id) for name in files)
    found: dict[str, dict[str, DiffusionScorer]] = {}
    for where, task, key in _places(models, "models/"):
        found.setdefault(task, {})[key] = _scorer(scaler, pca, models, where, task, key)
    if not found:
        raise DataError(models.path, "lists no model", "one per task and key", ADVICE)
    return found


def read_training(folder: Path, wanted_id: str) -> dict[str, dict[str, TrainingRows]]:
    """Read what the denoisers were trained on, task -> key. Raises DataError as `read_scorers`."""
    members = _archive(folder / TRAIN_FILE, wanted_id)
    found: dict[str, dict[str, TrainingRows]] = {}
    for part, task, key in _places(members, "train/", "/X"):
        latents = members.floats(f"train/{part}/X", 2)
        segments = members.array(f"train/{part}/seg_id", "i", 1)
        if len(latents) != len(segments):
            raise DataError(members.path, f"{part} has rows without a segment", "one each", ADVICE)
        found.setdefault(task, {})[key] = TrainingRows(latents, segments)
    return found


def stored_diffusion_cfg(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return id and configuration of the denoisers in a folder. Raises DataError without any."""
    members = read_members(folder / SCALER_FILE)
    _refuse_pickles(members)
    return members.text("diffusion_cfg_id"), members.mapping("diffusion_cfg")


def _archive(path: Path, wanted_id: str) -> Members:
    members = read_members(path)
    _refuse_pickles(members)
    held = members.text("diffusion_cfg_id")
    if held != wanted_id:
        raise DataError(path, f"is of configuration {held}", wanted_id, ADVICE)
    return members


def _refuse_pickles(members: Members) -> None:
    if members.pickled:
        names = ", ".join(sorted(members.pickled))
        raise DataError(
            members.path, f"holds pickled objects ({names}) as files of today's tools do",
            "plain arrays", "Run the estimate again; stored embeddings are used.",
        )  # fmt: skip


def _places(members: Members, head: str, tail: str = "") -> list[tuple[str, str, str]]:
    """Return `<task>/<key>` as stored, the task and the key of each entry."""
    found = []
    for name in members.arrays:
        if name.startswith(head) and name.endswith(tail):
            where = name[len(head) : len(name) - len(tail)]
            task, separator, key = where.rpartition("/")
            if not separator or "/" in task:
                raise DataError(members.path, f"has the entry {name}", f"{head}TASK/KEY{tail}")
            found.append((where, unquote(task), key))
    return found


def _space_arrays(where: str, space: LatentSpace) -> dict[str, Any]:
    return {
        f"scaler/{where}/mean": space.scaler.mean, f"scaler/{where}/std": space.scaler.std,
        f"scaler/{where}/l2_normalize": np.int32(space.scaler.l2),
        f"scaler/{where}/info": json.dumps(asdict(space.norms), sort_keys=True),
    }  # fmt: skip


def _projection_arrays(where: str, projection: Projection | None) -> dict[str, Any]:
    if projection is None:
        return {f"pca/{where}/method": "none"}
    return {
        f"pca/{where}/method": "svd_pca", f"pca/{where}/dim_req": np.int32(projection.requested),
        f"pca/{where}/dim_used": np.int32(projection.dim),
        f"pca/{where}/mean": projection.mean_D, f"pca/{where}/components": projection.components_kD,
    }  # fmt: skip


def _told(scorer: DiffusionScorer, trained: TrainingRows | None, path: Path) -> dict[str, Any]:
    norms, losses = scorer.space.norms, scorer.losses[-LOSSES_TOLD:]
    count = None if trained is None else len(trained.segment_N)
    return {
        "n_samples": count, "dim_in": scorer.latent_dim,
        "seg_counts": None if trained is None else np.bincount(
            trained.segment_N, minlength=scorer.num_segments
        ).tolist(),
        "scaler_use_l2": scorer.space.scaler.l2, "scaler_norm_cv": norms.cv,
        "scaler_norm_ratio_p95_p5": norms.ratio,
        "train": {"n_train": count, "dim": scorer.latent_dim,
                  "loss_last": losses[-1] if losses else None, "losses": list(losses)},
        "model_path": str(path),
    }  # fmt: skip


def _scorer(
    scaler: Members, pca: Members, models: Members, where: str, task: str, key: str
) -> DiffusionScorer:
    options = _options(models, where)
    segments, dim = (models.integer(f"{name}/{where}") for name in ("num_segments", "dim_in"))
    space = _space(scaler, pca, where)
    width = len(space.scaler.mean) if space.projection is None else space.projection.dim
    if segments < 1 or dim != width:
        raise DataError(
            models.path, f"{where} has {segments} segments and dimension {dim}",
            f"at least one segment and dimension {width}", ADVICE,
        )  # fmt: skip
    expected = {
        "dim_in": dim, "num_segments": segments, "hidden_dim": options.hidden_dim,
        "num_layers": options.num_layers, "timesteps": options.timesteps,
        "beta_start": BETA_START, "beta_end": BETA_END,
        "cfg_id": models.text("diffusion_cfg_id"), "task": task, "key": key,
    }  # fmt: skip
    name = models.text(f"models/{where}")
    if name != model_file(str(expected["cfg_id"]), task, key):
        raise DataError(models.path, f"{where} names the file {name}", "its own", ADVICE)
    checksum = models.text(f"sha256/{where}")
    model = read_denoiser(models.path.with_name(name), expected, checksum)
    losses = tuple(float(loss) for loss in models.array(f"losses/{where}", "f", 1))
    return DiffusionScorer(space, model, options, segments, losses)


def _options(models: Members, where: str) -> DenoiserOptions:
    try:
        held = models.mapping(f"options/{where}")
        options = from_mapping(DenoiserOptions, held, f"options of {where}")
    except ConfigError as problem:
        raise DataError(models.path, str(problem), "the options of a denoiser", ADVICE) from None
    limits = {"timesteps": 1 << 20, "hidden_dim": 1 << 16}
    sound = all(0 < getattr(options, name) <= most for name, most in limits.items())
    if not sound or options.num_layers > MOST_LAYERS:
        raise DataError(models.path, f"options of {where} are {held}", "usable sizes", ADVICE)
    return options


def _space(scaler: Members, pca: Members, where: str) -> LatentSpace:
    mean, std = (scaler.floats(f"scaler/{where}/{name}", 1) for name in ("mean", "std"))
    if mean.shape != std.shape or not (std > 0).all():
        raise DataError(scaler.path, f"mean and std of {where} do not fit", "positive spreads")
    l2 = bool(scaler.integer(f"scaler/{where}/l2_normalize"))
    info = scaler.mapping(f"scaler/{where}/info")
    if set(info) != {item.name for item in fields(NormStats)}:
        raise DataError(scaler.path, f"info of {where} has {sorted(info)}", "lengths of embeddings")
    projection = None
    if pca.text(f"pca/{where}/method") != "none":
        centre = pca.floats(f"pca/{where}/mean", 1)
        components = pca.floats(f"pca/{where}/components", 2)
        if components.shape[1:] != mean.shape or centre.shape != mean.shape:
            raise DataError(pca.path, f"components of {where} do not fit", f"{len(mean)} columns")
        projection = Projection(centre, components, pca.integer(f"pca/{where}/dim_req"))
    return LatentSpace(Scaler(mean, std, l2), projection, NormStats(**info))
