"""How clips are embedded: fields that are command-line flags and YAML keys too."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from robovalue_ros.contracts.config import option

Engine = Literal["local", "ray"]
MOST_WORKERS = 8


@dataclass(frozen=True)
class EmbeddingOptions:
    """How frames are decoded and clips are shared out; none of it changes a vector."""

    workers: int = option(
        0, f"threads that decode frames ahead of the network; 0: one per core, {MOST_WORKERS} at most",
        low=0, high=256,
    )  # fmt: skip
    engine: Engine = option(
        "local",
        "local: this process; ray: recordings are shared out among processes, each with an "
        "encoder of its own (needs the extra `ray`)",
    )
    actors: int = option(
        0, "processes of the engine ray; 0: one per GPU in use, on a CPU one per core",
        low=0, high=4096,
    )  # fmt: skip
    bank_mb: int = option(
        1024, "megabytes of prepared frames kept at once, in each process", low=1, high=1 << 20
    )
    save_seconds: float = option(
        60.0, "a recording that takes longer is put into the cache in parts this many seconds apart",
        low=0.0,
    )  # fmt: skip

    @property
    def threads(self) -> int:
        """How many decoding threads to start."""
        return self.workers or min(MOST_WORKERS, usable_cores())


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
