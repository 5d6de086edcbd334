"""Every option of `robovalue codes`; flags and defaults are those people know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.plans.schedule import ScheduleOptions
from robovalue_ros.training.code_options import CodeTraining
from robovalue_ros.training.plan_options import PlanChoice

Cell = Literal["lstm", "gru"]
Compat = Literal["none", "reference"]
Metric = Literal["euclidean", "cosine"]
Transform = Literal["none", "sqrt", "log1p", "tfidf"]
PlainFeature = Literal["bow", "tfidf", "bigram", "avg", "attn_norm", "dtw"]
Feature = Literal["bow", "tfidf", "bigram", "avg", "attn_norm", "dtw", "lstm"]
Algorithm = Literal["kmeans", "hdbscan", "gmm", "bayesian_gmm"]
SelectBy = Literal["silhouette", "calinski_harabasz", "davies_bouldin", "inertia"]
OUTPUT_WIDTH = 256
ROOT_HELP = "folder of JSON files with codes, for instance what the segmenter wrote"
THREADS_HELP = "processor threads; with one, the same bytes come out on every machine; 0: all"
LABELLED_ROOT_HELP = f"{ROOT_HELP}; the first folder below it is the class"


@dataclass(frozen=True)
class SequenceOptions:
    """Section `sequence`."""

    max_len: int | Literal["auto"] = option(
        "auto", "codes of a sequence that are read; auto or 0: nearly all sequences fit"
    )
    max_len_cap: int = option(0, "most that auto may choose; 0: any", low=0)
    codebook_size: int = option(
        0, "codes of the tokenizer's book; 0: what the files state, or need", low=0, high=1 << 20
    )
    max_len_resolved: int = option(0, "what max_len came to; training writes it, nothing reads it")
    truncation_ratio: float = option(0.0, "share of sequences that this cut; likewise")


@dataclass(frozen=True)
class NetworkOptions:
    """Section `model`."""

    cell: Cell = option("lstm", "kind of recurrent layer")
    embedding_dim: int = option(128, "width of a code's own vector", low=1, high=1 << 16)
    hidden_dim: int = option(
        0, "width of one direction; 0: so that a sequence's vector has 256 numbers",
        low=0, high=1 << 16,
    )  # fmt: skip
    num_layers: int = option(2, "recurrent layers", low=1, high=64)
    dropout: float = option(0.1, "share of values that training drops", low=0.0, high=0.95)
    bidirectional: bool = option(
        False,
        "also read backward. The network then sees the code that it has to guess, so that its loss "
        "tells nothing: only with --compat reference, to repeat old runs",
    )

    @property
    def width(self) -> int:
        """Width of one direction."""
        return self.hidden_dim or OUTPUT_WIDTH // (2 if self.bidirectional else 1)


@dataclass(frozen=True)
class CodesTrainConfig:
    """`robovalue codes train`."""

    json_root: Path | None = option(None, LABELLED_ROOT_HELP)
    out_dir: Path = option(Path("code_models"), "the run gets a folder of its own in here")
    exp_name: str | None = option(
        None, "name of that folder; none: the time", aliases=("--run-name",)
    )
    overwrite: bool = option(False, "replace the run of this name")
    resume: Path | None = option(
        None, "go on with this run, a folder that an earlier call made, with the settings it had"
    )
    extra_epochs: int = option(0, "with --resume: so many epochs more than it had", low=0)
    device: str = option("auto", "auto, cpu, or cuda:0 and the like")
    threads: int = option(1, THREADS_HELP, low=0, high=1024)
    tensorboard: bool = option(False, "also write event files for TensorBoard")
    compat: Compat = option("none", "reference: allow what only old runs did")
    sequence: SequenceOptions = option(SequenceOptions, "what the network reads")
    model: NetworkOptions = option(NetworkOptions, "the network")
    training: CodeTraining = option(CodeTraining, "how it learns")
    plan: PlanChoice = option(PlanChoice, "which sequences are drawn, and how often")
    schedule: ScheduleOptions = option(ScheduleOptions, "how it fits its length and its plan")


@dataclass(frozen=True)
class CodesEmbedConfig:
    """`robovalue codes embed`."""

    json_root: Path | None = option(None, ROOT_HELP)
    model_pt: Path | None = option(
        None, "the network: a run of `codes train`, its model_best.safetensors, or a model_best.pt"
    )
    out_dir: Path = option(Path("code_embeddings"), "the vectors get a folder of their own in here")
    l2_normalize: bool = option(False, "bring every vector to unit length")
    max_len: int = option(0, "codes of a sequence that are read; 0: as in training", low=0)
    batch_size: int = option(256, "sequences at once", low=1)
    device: str = option("auto", "auto, cpu, or cuda:0 and the like")
    threads: int = option(1, THREADS_HELP, low=0, high=1024)
    assign_to: Path | None = option(
        None, "folder of `codes cluster`: also tell the cluster of each sequence"
    )
    assign_by: Literal["kmeans", "hdbscan"] = option("hdbscan", "which of its clusters")
    prob_thr: float = option(
        0.2, "a sequence that is less probable in its cluster is an anomaly", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class PlaneOptions:
    """Section `umap`: pictures in a plane."""

    umap: bool = option(True, "draw UMAP when umap-learn is installed; PCA is always drawn")
    umap_n_neighbors: int = option(15, "neighbours that UMAP keeps near", low=2)
    umap_min_dist: float = option(
        0.1, "least distance of points in its picture", low=0.0, high=0.99
    )


@dataclass(frozen=True)
class CodesEvaluateConfig:
    """`robovalue codes evaluate`."""

    json_root: Path | None = option(None, LABELLED_ROOT_HELP)
    embed_dir: Path | None = option(None, "vectors of `codes embed`, for the feature lstm")
    model_pt: Path | None = option(None, "or a network to make them with")
    out_dir: Path = option(Path("code_evaluation"), "the results get a folder of their own in here")
    features: tuple[Feature, ...] = option(("bow",), "what describes a sequence, one or more")
    bow_transform: Transform = option("none", "bow: how shares of codes are weighed")
    algorithm: Algorithm | Literal["auto"] = option(
        "auto", "auto: gmm for avg and attn_norm, kmeans for all others"
    )
    n_clusters: int = option(0, "clusters; 0: as many as classes", low=0)
    min_cluster_size: int = option(20, "hdbscan: smallest cluster", low=2)
    balance_fit: bool = option(
        True, "fit on as many sequences of each class as the smallest class has"
    )
    evaluate_on: Literal["all", "subset"] = option("all", "judge all, or only what was fitted on")
    label_merge: tuple[str, ...] = option(
        (), "FOLDER=CLASS for each folder whose class has another name"
    )
    n_init: int = option(20, "kmeans: starts", low=1, high=1000)
    repeats: int = option(3, "seeds whose clusters are compared", low=1, high=100)
    seed: int = option(0, "of everything that is drawn", low=0)
    device: str = option("auto", "auto, cpu, or cuda:0 and the like")
    umap: PlaneOptions = option(PlaneOptions, "pictures")


@dataclass(frozen=True)
class GalleryOptions:
    """Section `gallery`: the page that shows what each cluster is."""

    gallery: Algorithm | Literal["none"] = option("kmeans", "clusters that the page shows")
    clips: int = option(4, "most typical clips of each cluster", low=1, high=50)
    clip_seconds: float = option(8.0, "longest piece of a clip on the page", low=0.1, high=600.0)
    names: Path | None = option(
        None, "JSON file with names of clusters, as the cluster_names.json of an earlier run"
    )


@dataclass(frozen=True)
class CodesClusterConfig:
    """`robovalue codes cluster`."""

    embed_dir: Path | None = option(None, "vectors of `codes embed`")
    json_root: Path | None = option(
        None, "or a folder of JSON files, for --feature; with --embed-dir: where the clips are"
    )
    feature: PlainFeature = option("bow", "what describes a sequence when there are no vectors")
    bow_transform: Transform = option("none", "bow: how shares of codes are weighed")
    out_dir: Path = option(Path("code_clusters"), "the results get a folder of their own in here")
    algorithms: tuple[Algorithm, ...] = option(
        ("kmeans", "hdbscan", "gmm", "bayesian_gmm"), "ways to cluster"
    )
    k_min: int = option(2, "fewest clusters", low=2)
    k_max: int = option(12, "most clusters", low=2, high=1000)
    n_init: int = option(20, "kmeans: starts", low=1, high=1000)
    repeats: int = option(3, "seeds of each number of clusters", low=1, high=100)
    lstm_metric: Metric = option("cosine", "distance of the silhouette")
    kmeans_select_by: SelectBy = option("silhouette", "score that chooses the number of clusters")
    min_cluster_sizes: tuple[int, ...] = option((20, 40, 80), "hdbscan: smallest clusters to try")
    min_samples: int = option(3, "hdbscan: neighbours that make a place dense", low=1)
    seed: int = option(0, "of everything that is drawn", low=0)
    umap: PlaneOptions = option(PlaneOptions, "pictures")
    gallery: GalleryOptions = option(GalleryOptions, "the page")
