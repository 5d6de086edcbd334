"""The four commands as a person uses them: files, keys, resume, damage, and what is refused."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from code_data import MOTIFS, OldNetwork, make_folder, write_old_checkpoint, write_side_car
from torch import nn

from robovalue_ros.backends.weights_file import read_description
from robovalue_ros.cli.main import main
from robovalue_ros.data.settings import read_settings
from robovalue_ros.pipelines.codes import folders
from robovalue_ros.pipelines.codes.config import (
    CodesClusterConfig,
    CodesEmbedConfig,
    CodesEvaluateConfig,
    CodesTrainConfig,
)
from robovalue_ros.training.checkpoints import read_checkpoint

SMALL = ["--hidden-dim", "12", "--embedding-dim", "8", "--batch-size", "16", "--lr", "0.02"]
ROOT = Path(__file__).parents[2]


def only(folder: Path) -> Path:
    """Return the one folder in a folder; nothing half may lie beside it."""
    (found,) = folder.iterdir()
    return found


def train(root: Path, out: Path, *more: str) -> Path:
    assert (
        main(["codes", "train", "--json-root", str(root), "--out-dir", str(out), *SMALL, *more])
        == 0
    )
    return only(out)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(run / "model_best.safetensors", "code_sequences")[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("codes"), vectors=True, clips=2)
    (folder / "pick" / "torn.json").write_text('{"codes_windows": [[1', encoding="utf-8")
    write_side_car(folder / "rare" / "one.json", [2, 4, 2, 4, 2, 2])
    return folder


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return train(root, tmp_path_factory.mktemp("models"), "--epochs", "8")


@pytest.fixture(scope="module")
def vectors(root: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vectors")
    words = [
        "codes",
        "embed",
        "--json-root",
        str(root),
        "--model-pt",
        str(run),
        "--out-dir",
        str(out),
    ]
    assert main(words) == 0
    return only(out)


def test_training_writes_the_files_that_people_know(run: Path) -> None:
    assert run.name[8] == "_" and run.name.replace("_", "").isdecimal()
    log = json.loads((run / "train_log.json").read_text(encoding="utf-8"))
    assert set(log) == {"history", "summary", "length_analysis"}
    summary = log["summary"]
    assert summary["epochs_ran"] == 8 and len(log["history"]["val"]) == 8
    losses = [line["loss"] for line in log["history"]["val"]]
    assert summary["best_val_loss"] == losses[summary["best_epoch"] - 1] < losses[0]
    assert log["history"]["train"][0]["ppl"] == pytest.approx(
        np.exp(log["history"]["train"][0]["loss"])
    )
    lengths = json.loads((run / "length_analysis.json").read_text(encoding="utf-8"))
    assert lengths == log["length_analysis"] and lengths["count"] == 37
    assert (run / "label_names.txt").read_text(encoding="utf-8").split() == ["pick", "pour", "rare", "wipe"]  # fmt: skip
    used = yaml.safe_load((run / "config_used.yaml").read_text(encoding="utf-8"))
    assert used["sequence"]["max_len_resolved"] == lengths["auto"]["max_len_resolved"]
    about = read_description(run / "model_best.safetensors")
    assert about["label_names"] == ["pick", "pour", "rare", "wipe"]
    assert about["network"]["vocabulary"] == 9 and not about["network"]["bidirectional"]
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 9))


def test_the_same_seed_gives_the_same_weights_and_old_settings_can_be_given(
    root: Path, run: Path, tmp_path: Path
) -> None:
    again = train(root, tmp_path, "--config", str(run / "config_used.yaml"))
    for name, value in weights(run).items():
        assert torch.equal(value, weights(again)[name])


def test_a_run_that_is_stopped_and_goes_on_equals_one_that_was_not(
    root: Path, run: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-m", "robovalue_ros.cli.main", "codes", "train", "--json-root", str(root),
             "--out-dir", str(tmp_path), *SMALL, "--epochs", "8"]  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*/training_state.safetensors")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped = only(tmp_path)
    for left in stopped.glob(".tmp-*"):
        left.unlink()
    assert main(["codes", "train", "--resume", str(stopped)]) == 0
    assert (stopped / "train_log.json").read_bytes() == (run / "train_log.json").read_bytes()
    assert (stopped / "log.jsonl").read_bytes() == (run / "log.jsonl").read_bytes()
    for name, value in weights(run).items():
        assert torch.equal(value, weights(stopped)[name])


def test_a_finished_run_can_go_further_but_not_with_other_files(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train(root, tmp_path / "m", "--epochs", "2")
    assert main(["codes", "train", "--resume", str(first), "--extra-epochs", "1"]) == 0
    log = json.loads((first / "train_log.json").read_text(encoding="utf-8"))
    assert log["summary"]["epochs_ran"] == 3
    other = make_folder(tmp_path / "other", each=3)
    assert main(["codes", "train", "--resume", str(first), "--json-root", str(other)]) == 2
    assert "belongs to other sequences" in capsys.readouterr().err
    assert main(["codes", "train", "--resume", str(tmp_path)]) == 2
    assert "is no run of" in capsys.readouterr().err


def test_embedding_writes_a_vector_for_each_path(root: Path, run: Path, vectors: Path) -> None:
    rows = np.load(vectors / "embed.npy")
    names = (vectors / "paths.txt").read_text(encoding="utf-8").splitlines()
    assert rows.shape == (37, 12) and rows.dtype == np.float32 and len(names) == 37
    assert names == sorted(names) and all((root / name).is_file() for name in names)
    about = json.loads((vectors / "embed.json").read_text(encoding="utf-8"))
    assert about["json_root"] == str(root.resolve()) and about["passed_over"] == ["pick/torn.json"]


def test_vectors_can_have_unit_length_and_come_from_an_old_checkpoint(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "model_best.pt"
    write_old_checkpoint(old, OldNetwork(nn.LSTM, 9, True, 2), None)
    words = ["codes", "embed", "--json-root", str(root), "--model-pt", str(old), "--l2-normalize"]
    assert main([*words, "--out-dir", str(tmp_path / "a")]) == 0
    assert "does not say its max_len" in capsys.readouterr().out
    rows = np.load(only(tmp_path / "a") / "embed.npy")
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    small = tmp_path / "small.pt"
    write_old_checkpoint(small, OldNetwork(nn.LSTM, 7, True, 2), 9)
    assert main([*words[:5], str(small), "--out-dir", str(tmp_path / "b")]) == 0
    out = capsys.readouterr().out
    assert "code 7 is none of the network's" in out
    assert len(np.load(only(tmp_path / "b") / "embed.npy")) < 37


def test_evaluation_tells_how_well_classes_are_found(
    root: Path, run: Path, vectors: Path, tmp_path: Path
) -> None:
    words = ["codes", "evaluate", "--json-root", str(root), "--embed-dir", str(vectors), "--no-umap",
             "--out-dir", str(tmp_path), "--features", "bow", "tfidf", "bigram", "lstm",
             "--label-merge", "rare=wipe"]  # fmt: skip
    assert main(words) == 0
    out = only(tmp_path)
    told = json.loads((out / "aggregate_results.json").read_text(encoding="utf-8"))
    assert set(told) == {"bow", "tfidf", "bigram", "lstm"}
    for name in ("bow", "tfidf", "bigram"):
        assert told[name] == json.loads((out / f"result_{name}.json").read_text(encoding="utf-8"))
        assert told[name]["acc"] == told[name]["purity"] == told[name]["nmi"] == 1
        assert told[name]["per_class"]["wipe"] == {
            "precision": 1,
            "recall": 1,
            "f1": 1,
            "count": 13,
        }
    assert told["lstm"]["acc"] > 0.9 and told["lstm"]["seeds"]["pairwise_ari"]
    for kind in ("true", "pred"):
        png = (out / "bow" / f"pca_{kind}_kmeans.png").read_bytes()
        assert png[:4] == b"\x89PNG"


@pytest.mark.parametrize("algorithm", ["gmm", "bayesian_gmm", "hdbscan"])
def test_other_ways_and_averages_of_token_vectors(
    root: Path, tmp_path: Path, algorithm: str
) -> None:
    words = ["codes", "evaluate", "--json-root", str(root), "--no-umap", "--out-dir", str(tmp_path),
             "--features", "avg", "attn_norm", "dtw", "--algorithm", algorithm, "--repeats", "1",
             "--min-cluster-size", "6", "--evaluate-on", "subset", "--bow-transform", "sqrt"]  # fmt: skip
    assert main(words) == 0
    told = json.loads((only(tmp_path) / "aggregate_results.json").read_text(encoding="utf-8"))
    # The one file without vectors of its tokens is left out.
    assert told["avg"]["n_samples"] == 36 and set(told["avg"]["classes"]) == set(MOTIFS)
    assert told["avg"]["algorithm"] == algorithm
    # Heaps of twelve noisy points are thin for a density.
    assert told["avg"]["purity"] > (0.6 if algorithm == "hdbscan" else 0.9)


def test_clusters_of_vectors_their_page_and_what_comes_later(
    root: Path, run: Path, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["codes", "cluster", "--embed-dir", str(vectors), "--out-dir", str(tmp_path / "c"),
             "--k-max", "4", "--n-init", "2", "--repeats", "2", "--clips", "2", "--no-umap"]  # fmt: skip
    assert main(words) == 0
    out = only(tmp_path / "c")
    assert out.name.endswith("_lstm_unsup")
    told = json.loads((out / "aggregate_results.json").read_text(encoding="utf-8"))["lstm_unsup"]
    assert told["info"]["n_samples"] == 37 and set(told["kmeans"]["grid"]) == {"2", "3", "4"}
    best = told["kmeans"]["best"]
    assert best["k"] == max(told["kmeans"]["candidates"], key=lambda c: c["silhouette"])["k"]
    assert {"silhouette", "calinski_harabasz", "davies_bouldin", "inertia"} <= set(best)
    # 37 segments hold one of the usual sizes, 20.
    assert list(told["hdbscan"]["grid"]) == ["20"]
    for name in ("kmeans", "hdbscan", "gmm", "bayesian_gmm"):
        assert np.load(out / f"{name}_labels.npy").shape == (37,)
    table = list(csv.DictReader((out / "metrics.csv").open(encoding="utf-8")))
    assert table[0]["method"] == "lstm_kmeans" and float(table[1]["intra_over_inter"]) >= 0
    assert (out / "pca_lstm_unsup.png").is_file() and not (out / "umap_lstm_unsup.png").exists()
    names = json.loads((out / "cluster_names.json").read_text(encoding="utf-8"))
    page = (out / "gallery.html").read_text(encoding="utf-8")
    assert all(name in page for name in names.values())
    capsys.readouterr()

    again = [
        "codes",
        "embed",
        "--json-root",
        str(root),
        "--model-pt",
        str(run),
        "--assign-to",
        str(out),
    ]
    assert main([*again, "--assign-by", "kmeans", "--out-dir", str(tmp_path / "e")]) == 0
    assert "anomalies" in capsys.readouterr().out
    lines = json.loads((only(tmp_path / "e") / "assignments.json").read_text(encoding="utf-8"))
    assert [line["cluster"] for line in lines] == np.load(out / "kmeans_labels.npy").tolist()
    assert main([*again, "--prob-thr", "2"]) == 2


def test_clusters_of_codes_alone_and_names_that_people_give(root: Path, tmp_path: Path) -> None:
    given = tmp_path / "names.json"
    given.write_text('{"0": "first <kind>"}', encoding="utf-8")
    words = ["codes", "cluster", "--json-root", str(root), "--feature", "tfidf", "--no-umap",
             "--algorithms", "hdbscan", "--min-cluster-sizes", "6", "--gallery", "hdbscan",
             "--names", str(given), "--out-dir", str(tmp_path / "c")]  # fmt: skip
    assert main(words) == 0
    out = only(tmp_path / "c")
    told = json.loads((out / "aggregate_results.json").read_text(encoding="utf-8"))["tfidf_unsup"]
    assert told["hdbscan"]["best"]["clusters"] == 3 and "kmeans" not in told
    page = (out / "gallery.html").read_text(encoding="utf-8")
    assert "first &lt;kind&gt;" in page and "most typical" in page


def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    root: Path, vectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out-dir", str(tmp_path / "o")]
    lonely = tmp_path / "lonely"
    write_side_car(lonely / "a" / "x.json", [1])
    for words, part in (
        (["train"], "--json-root"),
        (["train", "--json-root", str(root), "--bidirectional"], "--compat reference"),
        (["train", "--json-root", str(lonely)], "one with two codes"),
        (["train", "--json-root", str(root), "--device", "cuda:9"], "cuda:9"),
        (["embed", "--json-root", str(root)], "--model-pt"),
        (["embed", "--json-root", str(root), "--model-pt", str(root)], "is not there"),
        (["evaluate", "--json-root", str(root), "--features", "lstm"], "--embed-dir"),
        (["evaluate", "--json-root", str(lonely)], "one class"),
        (["evaluate", "--json-root", str(root), "--label-merge", "pik=a"], "Did you mean 'pick'?"),
        (["evaluate", "--json-root", str(root), "--n-clusters", "30"], "at most 4"),
        (["cluster"], "--embed-dir"),
        (
            ["cluster", "--embed-dir", str(vectors), "--k-min", "9", "--k-max", "3"],
            "k_min <= k_max",
        ),
        (["cluster", "--json-root", str(lonely)], "at least three"),
    ):
        assert main(["codes", *words, *out]) == 2
        assert part in capsys.readouterr().err
        assert not list((tmp_path / "o").glob("*")) or words[0] == "train"


def test_a_bidirectional_network_is_trained_only_for_comparison(root: Path, tmp_path: Path) -> None:
    made = train(root, tmp_path, "--epochs", "1", "--bidirectional", "--compat", "reference")
    assert weights(made)["head.weight"].shape == (9, 24)


@pytest.mark.parametrize(
    ("name", "config_type"),
    [
        ("codes_train", CodesTrainConfig),
        ("codes_embed", CodesEmbedConfig),
        ("codes_evaluate", CodesEvaluateConfig),
        ("codes_cluster", CodesClusterConfig),
    ],
)
def test_the_settings_that_are_installed_can_be_read(name: str, config_type: type) -> None:
    found = read_settings(config_type, ROOT / "config" / f"{name}.yaml")
    if name != "codes_evaluate":
        assert found == config_type()


def test_two_runs_of_one_second_have_two_folders_and_a_failed_one_has_none(
    tmp_path: Path,
) -> None:
    first, second = folders.new_run_folder(tmp_path), folders.new_run_folder(tmp_path)
    assert first != second
    with folders.whole_folder(tmp_path / "w", "_x") as (one, one_name):
        with folders.whole_folder(tmp_path / "w", "_x") as (two, two_name):
            assert one != two and one_name != two_name
    assert {one_name, two_name} == set((tmp_path / "w").iterdir())
    with pytest.raises(RuntimeError), folders.whole_folder(tmp_path / "w") as (hidden, _):
        (hidden / "half").touch()
        raise RuntimeError
    assert len(list((tmp_path / "w").iterdir())) == 2
