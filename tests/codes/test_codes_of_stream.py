"""From videos to clusters of motion codes through the commands alone, without a flag in between."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from safetensors.numpy import load_file

from robovalue_ros.cli.main import main

BOOK, LEVELS = 64, [8, 8]
# How far a square moves from frame to frame: rest, move, rest, move, rest.
SPEEDS = [0.0] * 20 + [2.0] * 28 + [0.0] * 20 + [3.0] * 28 + [0.0] * 12
CUT = (
    "--num-tracks", "16", "--resize-shorter", "0", "--threshold", "0.0005", "--no-motion-gate",
    "--no-pre-gate", "--max-duration-seconds", "0.8",
)  # fmt: skip


def write_video(path: Path, seed: int) -> None:
    """Encode a square that is moved over a ground with marks on it."""
    rng = np.random.default_rng(seed)
    ground, skin = (rng.integers(0, 255, (side // 4, side // 4, 3)) for side in (96, 32))
    ground, skin = (part.repeat(4, 0).repeat(4, 1).astype(np.uint8) for part in (ground, skin))
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=20, options={"crf": "12"})
        track.width, track.height, track.pix_fmt = 96, 96, "yuv420p"
        place = 0.0
        for speed in SPEEDS:
            place += speed
            left = int(abs((place + 64) % 128 - 64))
            image = ground.copy()
            image[32:64, left : left + 32] = skin
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(track.encode())


def run(*words: str) -> None:
    assert main(words) == 0, words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos, their tracks, a tokenizer of them, and what the stream cuts with it."""
    root = tmp_path_factory.mktemp("chain")
    for kind, seed in (("push", 0), ("push", 1), ("pull", 2), ("pull", 3)):
        write_video(root / "videos" / kind / f"{kind}_{seed}.mp4", seed)
    videos, tracks, runs = (str(root / name) for name in ("videos", "tracks", "runs"))
    run("segment", "preprocess", videos, "--output-dir", tracks, "--num-tracks", "16",
        "--resize-shorter", "0")  # fmt: skip
    run("segment", "train-tokenizer", tracks, "--out", runs, "--quick", "--epochs", "1",
        "--hidden-dim", "16", "--num-heads", "2", "--codebook-size", str(BOOK),
        "--still-windows", "keep")  # fmt: skip
    run(
        "segment",
        "stream",
        videos,
        "--output-dir",
        str(root / "segments"),
        "--tokenizer",
        runs,
        *CUT,
    )
    return root


def test_side_cars_tell_the_code_book_whatever_codes_occur(made: Path) -> None:
    found = sorted((made / "segments").rglob("*.codes.json"))
    assert len(found) >= 8
    for path in found:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["meta"] == {"codebook_size": BOOK, "codebook_levels": LEVELS}
        assert 0 <= max(map(max, document["codes_windows"])) < BOOK


def test_codes_train_embed_and_cluster_take_what_the_stream_wrote(made: Path) -> None:
    segments, networks, vectors = (str(made / name) for name in ("segments", "networks", "vectors"))
    run("codes", "train", "--json-root", segments, "--out-dir", networks, "--epochs", "1",
        "--hidden-dim", "12", "--embedding-dim", "8")  # fmt: skip
    (network,) = (made / "networks").glob("*/model_best.safetensors")
    # One token for each code of the book, and the padding: not as many as happen to occur.
    weights = load_file(network)
    (head,) = (value for name, value in weights.items() if name.endswith("head.weight"))
    assert head.shape[0] == BOOK + 1
    run("codes", "embed", "--json-root", segments, "--model-pt", str(network), "--out-dir", vectors)
    (embedded,) = (made / "vectors").rglob("embed.npy")
    clips = list((made / "segments").rglob("*.codes.json"))
    assert np.load(embedded, allow_pickle=False).shape == (len(clips), 12)
    run("codes", "cluster", "--embed-dir", str(embedded.parent), "--out-dir", str(made / "groups"),
        "--k-max", "3", "--no-umap")  # fmt: skip
    (page,) = (made / "groups").rglob("gallery.html")
    # The clips were found where their side cars say.
    text = page.read_text(encoding="utf-8")
    assert "Play all" in text and "have no video" not in text


def test_a_tokenizer_that_cannot_be_read_is_told_once_and_leaves_nothing(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made / "nothing"
    words = ["segment", "stream", str(made / "videos"), "--output-dir", str(out)]
    assert main([*words, "--tokenizer", str(made / "nowhere.safetensors"), *CUT]) == 2
    told = capsys.readouterr()
    assert (told.err + told.out).replace("\n", "").count("nowhere.safetensors") == 1
    assert not out.exists()
