"""Small folders of code files, and networks in another program's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from robovalue_ros.data.video import encode_video

MOTIFS = {"pick": (3, 7, 7, 1), "pour": (5, 5, 0, 6, 2), "wipe": (4, 2)}
COLOURS = {"pick": (200, 60, 60), "pour": (60, 160, 80), "wipe": (60, 90, 200)}


def write_side_car(path: Path, codes: list[int], **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    windows = [codes[at : at + 4] for at in range(0, len(codes), 4)]
    path.write_text(json.dumps({"codes_windows": windows, **more}), encoding="utf-8")


def code_file(root: Path, label: str, number: int) -> Path:
    stem = f"segment_{number:04d}_startwin_{3 * number:06d}"
    return root / label / "video_a" / "code_indices" / f"{stem}.codes.json"


def make_folder(root: Path, each: int = 12, *, vectors: bool = False, clips: int = 0) -> Path:
    """Write `each` segments of three classes; the first `clips` of each have a video."""
    rng = np.random.default_rng(0)
    for place, (label, motif) in enumerate(MOTIFS.items()):
        for number in range(each):
            length = int(rng.integers(10, 24))
            codes = [motif[at % len(motif)] for at in range(length)]
            more: dict[str, Any] = {"meta": {"codebook_size": 8}}
            if vectors:
                rows = 3 * np.eye(12)[place] + rng.normal(scale=0.5, size=(3, 4, 12))
                more["quantized_windows"] = rows.tolist()
            path = code_file(root, label, number)
            write_side_car(path, codes, **more)
            if number < clips:
                name = path.name.replace(".codes.json", ".mp4")
                write_clip(path.parent.parent / "segmented_videos" / name, COLOURS[label])
    return root


def write_clip(path: Path, colour: tuple[int, int, int], frames: int = 12) -> None:
    images = []
    for number in range(frames):
        image = np.full((48, 64, 3), 235, np.uint8)
        image[10:30, 2 * number : 2 * number + 16] = colour
        images.append(image)
    encode_video(path, images, 10)


class OldNetwork(nn.Module):
    """How others build it: one recurrent module of several layers."""

    def __init__(self, kind: type[nn.RNNBase], vocabulary: int, both: bool, layers: int) -> None:
        super().__init__()
        self.tok = nn.Embedding(vocabulary, 6, padding_idx=0)
        self.core = kind(
            6, 5, layers, batch_first=True, bidirectional=both, dropout=0.1 if layers > 1 else 0.0
        )
        self.out = nn.Linear(10 if both else 5, vocabulary)

    def vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        held, _ = self.core(self.tok(tokens))
        real = (tokens != 0).unsqueeze(-1)
        return (held * real).sum(1) / real.sum(1)


def write_old_checkpoint(path: Path, network: OldNetwork, max_len: int | None) -> None:
    sequence = {} if max_len is None else {"max_len": "auto", "max_len_resolved": max_len}
    content = {
        "state_dict": network.state_dict(), "config": {"sequence": sequence},
        "label_names": ["a", "b"],
    }  # fmt: skip
    torch.save(content, path)
