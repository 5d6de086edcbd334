"""How well clusters of code sequences fit the classes that their folders name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from robovalue_ros.contracts.errors import ConfigError, DataError, nearest
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_bytes, write_json
from robovalue_ros.data.code_files import CodeFolder, read_code_folder
from robovalue_ros.data.code_vectors import read_code_vectors
from robovalue_ros.pipelines.codes.config import Algorithm, CodesEvaluateConfig, Feature
from robovalue_ros.pipelines.codes.describe import NEED_VECTORS, described
from robovalue_ros.pipelines.codes.embed import embedded
from robovalue_ros.pipelines.codes.folders import whole_folder
from robovalue_ros.pipelines.codes.model import chosen_device, load_model
from robovalue_ros.pipelines.codes.planes import Plane, named_groups, planes
from robovalue_ros.report.clouds import Panel, draw_panels
from robovalue_ros.segment.codes.agreement import Agreement, agreement
from robovalue_ros.segment.codes.clustering import (
    Clusters,
    balanced_rows,
    density,
    gaussian_mixture,
    kmeans,
    nearest_centre,
)
from robovalue_ros.segment.codes.quality import Scores, seed_agreement, separation
from robovalue_ros.segment.codes.sequences import Doubles, Ints

DEFAULT_PROGRESS = SilentProgress()
AVERAGES = ("avg", "attn_norm")


@dataclass(frozen=True, slots=True)
class FeatureResult:
    """One feature: agreement with the classes, separation, and what other seeds give."""

    feature: Feature
    algorithm: Algorithm
    count: int
    clusters: int
    agreement: Agreement
    scores: Scores
    stability: tuple[float, ...]
    accuracies: tuple[float, ...]

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "feature": self.feature,
            "algorithm": self.algorithm,
            "n_samples": self.count,
            "n_clusters": self.clusters,
            **self.agreement.to_mapping(),
            **asdict(self.scores),
            "seeds": {
                "acc": list(self.accuracies),
                "acc_mean": float(np.mean(self.accuracies)),
                "acc_std": float(np.std(self.accuracies)),
                "pairwise_ari": list(self.stability),
            },
        }


@dataclass(frozen=True, slots=True)
class EvaluateResult:
    """out: the folder with the files."""

    out: Path
    classes: Mapping[str, int]
    features: tuple[FeatureResult, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Vectors (N, D) of one feature, with the class of each."""

    rows: Doubles
    classes: tuple[str, ...]


def evaluate_codes(
    config: CodesEvaluateConfig, *, progress: Progress = DEFAULT_PROGRESS
) -> EvaluateResult:
    """Cluster by each feature and compare with the classes; raises ConfigError or DataError."""
    if config.json_root is None and (config.embed_dir is None or set(config.features) != {"lstm"}):
        raise ConfigError(
            "codes evaluate needs --json-root", "a folder of JSON files",
            "With --features lstm, --embed-dir alone will do.",
        )  # fmt: skip
    folder = None
    if config.json_root is not None:
        wanted = any(feature in NEED_VECTORS for feature in config.features)
        folder = read_code_folder(
            config.json_root, labelled=True, vectors=wanted, progress=progress
        )
    findings = list(folder.findings if folder else ())
    results, seen = [], None
    with whole_folder(config.out_dir) as (hidden, final), threadpool_limits(1):
        for feature in dict.fromkeys(config.features):
            given = _given(config, feature, folder, findings, progress)
            with progress.stage(f"clusters of {feature}"):
                result, labels, rows = _judged(config, feature, given)
            results.append(result)
            seen = seen or Counter(given.classes)
            write_json(hidden / f"result_{feature}.json", result.to_mapping())
            _draw(hidden / feature, config, result, given, labels, rows, findings, progress)
        write_json(
            hidden / "aggregate_results.json",
            {result.feature: result.to_mapping() for result in results},
        )
    return EvaluateResult(
        final, dict(sorted((seen or Counter()).items())), tuple(results),
        tuple(dict.fromkeys(findings)),
    )  # fmt: skip


def _given(
    config: CodesEvaluateConfig,
    feature: Feature,
    folder: CodeFolder | None,
    findings: list[Finding],
    progress: Progress,
) -> _Given:
    if feature == "lstm" and config.embed_dir is not None:
        found = read_code_vectors(config.embed_dir)
        labels = [name.partition("/")[0] for name in found.names]
        return _Given(found.vectors.astype(np.float64), _merged(config, labels))
    if folder is None:
        raise ConfigError(f"the feature {feature} needs --json-root", "a folder of JSON files")
    if feature == "lstm":
        if config.model_pt is None:
            raise ConfigError(
                "the feature lstm needs vectors", "--embed-dir, or --model-pt to make them"
            )
        model = load_model(config.model_pt, chosen_device(config.device))
        made = embedded(model, folder.sequences, folder.root, progress=progress)
        findings += made.findings
        labels = [str(sequence.label) for sequence in made.sequences]
        return _Given(made.vectors.astype(np.float64), _merged(config, labels))
    told = described(folder.sequences, feature, config.bow_transform, folder.root)
    findings += told.findings
    labels = [str(sequence.label) for sequence in told.sequences]
    return _Given(told.rows, _merged(config, labels))


def _merged(config: CodesEvaluateConfig, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the class of each folder name; raises ConfigError for a folder that is not there."""
    classes = {}
    for text in config.label_merge:
        folder, sign, name = text.partition("=")
        if not (sign and folder and name):
            raise ConfigError(f"label_merge has {text!r}", "FOLDER=CLASS")
        if folder not in labels:
            raise ConfigError(
                f"label_merge names {folder!r}, which is no folder", hint=nearest(folder, labels)
            )
        classes[folder] = name
    return tuple(classes.get(label, label) for label in labels)


def _judged(
    config: CodesEvaluateConfig, feature: Feature, given: _Given
) -> tuple[FeatureResult, Ints, Ints]:
    """Return the result, and label and row of everything that was judged."""
    kinds = len(set(given.classes))
    if kinds < 2:
        raise DataError(
            config.json_root or config.embed_dir or "", f"holds one class, {given.classes[0]!r}",
            "two folders or more, one for each class", "Use `robovalue codes cluster`.",
        )  # fmt: skip
    algorithm = _algorithm(config, feature)
    fit = np.arange(len(given.classes))
    if config.balance_fit:
        fit = balanced_rows(given.classes, np.random.RandomState(config.seed))
    count = config.n_clusters or kinds
    runs = [
        _labels(algorithm, given.rows, fit, count, config.seed + repeat, config)
        for repeat in range(config.repeats if algorithm != "hdbscan" else 1)
    ]
    rows = np.sort(fit) if config.evaluate_on == "subset" else np.arange(len(given.classes))
    classes = [given.classes[row] for row in rows]
    told = [agreement(classes, labels[rows]) for labels in runs]
    result = FeatureResult(
        feature, algorithm, len(rows), len(set(runs[0][rows].tolist()) - {-1}), told[0],
        separation(given.rows[rows], runs[0][rows], seed=config.seed),
        seed_agreement([labels[rows] for labels in runs]),
        tuple(each.accuracy for each in told),
    )  # fmt: skip
    return result, runs[0][rows], rows


def _algorithm(config: CodesEvaluateConfig, feature: Feature) -> Algorithm:
    if config.algorithm != "auto":
        return config.algorithm
    return "gmm" if feature in AVERAGES else "kmeans"


def _labels(
    algorithm: Algorithm,
    rows: Doubles,
    fit: Ints,
    count: int,
    seed: int,
    config: CodesEvaluateConfig,
) -> Ints:
    """Cluster the rows to fit on, and tell the cluster of every row."""
    if count > len(fit):
        raise ConfigError(f"{count} clusters of {len(fit)} sequences", f"at most {len(fit)}")
    if algorithm == "kmeans":
        found: Clusters = kmeans(rows[fit], count, seed, config.n_init)
        return nearest_centre(rows, found.centres)
    if algorithm == "hdbscan":
        return density(rows, config.min_cluster_size).labels
    bayesian = algorithm == "bayesian_gmm"
    return gaussian_mixture(rows, count, seed, bayesian=bayesian, fit_rows=fit).labels


def _draw(
    folder: Path,
    config: CodesEvaluateConfig,
    result: FeatureResult,
    given: _Given,
    labels: Ints,
    rows: Ints,
    findings: list[Finding],
    progress: Progress,
) -> None:
    drawn, noticed = planes(given.rows[rows], config.umap, "euclidean", config.seed, progress)
    findings += noticed
    told = result.agreement
    summary = f"accuracy {told.accuracy:.3f}, NMI {told.nmi:.3f}, ARI {told.ari:.3f}"
    for plane in drawn:
        for kind, groups in (
            ("true", tuple(given.classes[row] for row in rows)),
            ("pred", named_groups(labels)),
        ):
            title = f"{result.feature}: {'classes' if kind == 'true' else result.algorithm}"
            picture = draw_panels(title, summary, (_panel(plane, groups),))
            write_bytes(folder / f"{plane.kind}_{kind}_{result.algorithm}.png", picture)


def _panel(plane: Plane, groups: tuple[str | None, ...]) -> Panel:
    return Panel("", plane.points, groups, plane.axes)
