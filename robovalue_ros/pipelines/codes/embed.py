"""Turn code files into vectors with a trained network, and tell known clusters for them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.code_files import read_code_folder
from robovalue_ros.data.code_vectors import CodeVectors, write_code_vectors
from robovalue_ros.pipelines.codes.config import CodesEmbedConfig
from robovalue_ros.pipelines.codes.folders import needed, whole_folder
from robovalue_ros.pipelines.codes.known import read_known
from robovalue_ros.pipelines.codes.model import (
    SequenceModel,
    chosen_device,
    cpu_threads,
    embed_sequences,
    load_model,
)
from robovalue_ros.segment.codes.lengths import auto_max_len, truncation_ratio
from robovalue_ros.segment.codes.online import Assigned
from robovalue_ros.segment.codes.sequences import CodeSequence, Floats

DEFAULT_PROGRESS = SilentProgress()
ASSIGNED = "assignments.json"


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """out: the folder. anomalies: sequences that belong to no known cluster, when asked for."""

    out: Path
    count: int
    width: int
    max_len: int
    truncated: float
    findings: tuple[Finding, ...]
    clusters: dict[int, int] | None
    anomalies: int


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """vectors (N, D) of sequences, and what was noticed."""

    sequences: tuple[CodeSequence, ...]
    vectors: Floats
    max_len: int
    findings: tuple[Finding, ...]


def embed_codes(config: CodesEmbedConfig, *, progress: Progress = DEFAULT_PROGRESS) -> EmbedResult:
    """Write `embed.npy` and `paths.txt`; raises ConfigError or DataError."""
    root = needed(config.json_root, "codes embed", "--json-root", "a folder of JSON files")
    path = needed(config.model_pt, "codes embed", "--model-pt", "a trained network")
    known = None if config.assign_to is None else read_known(config.assign_to)
    model = load_model(path, chosen_device(config.device))
    folder = read_code_folder(root, labelled=False, progress=progress)
    with cpu_threads(config.threads):
        found = embedded(
            model, folder.sequences, root, max_len=config.max_len, batch_size=config.batch_size,
            l2=config.l2_normalize, progress=progress,
        )  # fmt: skip
    findings = (*folder.findings, *found.findings)
    truncated = truncation_ratio([len(s.codes) for s in found.sequences], found.max_len)
    assigned = None
    if known is not None:
        assigned = known.assign(found.vectors, config.assign_by, config.prob_thr)
    with whole_folder(config.out_dir) as (hidden, final):
        about = {
            "model": str(model.path.resolve()), "l2_normalize": config.l2_normalize,
            "max_len": found.max_len, "truncation_ratio": truncated,
            "passed_over": [finding.subject for finding in folder.findings],
        }  # fmt: skip
        names = [sequence.name for sequence in found.sequences]
        write_code_vectors(hidden, CodeVectors(found.vectors, tuple(names), root.resolve()), about)
        if assigned is not None:
            write_json(hidden / ASSIGNED, _lines(found.sequences, assigned))
    return EmbedResult(
        final, len(found.vectors), found.vectors.shape[1], found.max_len, truncated, findings,
        None if assigned is None else dict(sorted(Counter(assigned.labels.tolist()).items())),
        0 if assigned is None else int(assigned.anomaly.sum()),
    )  # fmt: skip


def embedded(
    model: SequenceModel,
    sequences: tuple[CodeSequence, ...],
    root: Path,
    *,
    max_len: int = 0,
    batch_size: int = 256,
    l2: bool = False,
    progress: Progress = DEFAULT_PROGRESS,
) -> Embedded:
    """Embed sequences; those with codes that the network does not know are left out and named."""
    findings = []
    known = tuple(sequence for sequence in sequences if model.fits(sequence))
    size = model.network.shape.vocabulary - 1
    for sequence in sequences:
        if not model.fits(sequence):
            text = f"passed over: code {int(sequence.codes.max())} is none of the network's {size}"
            findings.append(Finding("warning", sequence.name, text, "Another tokenizer wrote it."))
    if not known:
        raise DataError(root, "no sequence fits the network", f"codes from 0 to {size - 1}")
    length = max_len or model.max_len
    if length is None:
        length = auto_max_len([len(sequence.codes) for sequence in known])
        text = f"does not say its max_len; {length} fits nearly all sequences here"
        findings.append(Finding("note", model.path.name, text, "Give --max-len to choose."))
    with progress.stage("embedding", len(known)) as tick:
        vectors = embed_sequences(model, known, length, batch_size, tick, l2=l2)
    return Embedded(known, vectors, length, tuple(findings))


def _lines(sequences: tuple[CodeSequence, ...], assigned: Assigned) -> list[dict[str, object]]:
    return [
        {"path": sequence.name, "cluster": int(label), "probability": float(p), "anomaly": bool(a)}
        for sequence, label, p, a in zip(
            sequences, assigned.labels, assigned.probabilities, assigned.anomaly, strict=True
        )
    ]
