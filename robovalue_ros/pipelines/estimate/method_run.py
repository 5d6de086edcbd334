"""What a run needs of a value method: learn, keep, score, and say what a result depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.value.episodes import EmbeddedEpisode, NotScored

M = TypeVar("M")
C = TypeVar("C")


class MethodRun(Protocol[M, C]):
    """One method with its options, in one run. M: what it learns. C: the curve of an episode.

    stage: of rows about scored recordings. needs_all: values depend on the other episodes, so all
    are measured before the first is written.
    """

    stage: str
    needs_all: bool

    def stored(self, out: Path) -> M | None:
        """Return what an earlier run learned, if it is what this one would learn."""
        ...

    def fit(self, references: Sequence[EmbeddedEpisode], progress: Progress) -> M: ...

    def save(self, out: Path, model: M, references: Sequence[EmbeddedEpisode]) -> None: ...

    def left_out(self, model: M) -> Sequence[NotScored]: ...

    def findings(self, model: M) -> Sequence[Finding]: ...

    def measure(self, model: M, episodes: Sequence[EmbeddedEpisode]) -> Sequence[C | NotScored]: ...

    def finish(self, model: M, curves: Sequence[C]) -> Sequence[C]:
        """Fill in what depends on all episodes; curves as `measure` gave them."""
        ...

    def scoring_cfg(self, prepared: Prepared, curve: C | None) -> dict[str, Any]:
        """Return everything that the stored values of a recording depend on."""
        ...

    def write(
        self, path: Path, curve: C, prepared: Prepared, scoring_cfg: Mapping[str, Any]
    ) -> None: ...

    def metadata(self, model: M | None, shared: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run's metadata from the facts that both methods tell."""
        ...
