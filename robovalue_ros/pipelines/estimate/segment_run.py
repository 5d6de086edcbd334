"""segment_match50 in a run: `segment_centers.npz`, denoisers and one curve per recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.centers import (
    SEGMENT_FILE,
    CentersAbout,
    read_segment_centers,
    write_segment_centers,
)
from robovalue_ros.data.value_store.episode import Recording as StoredRecording
from robovalue_ros.data.value_store.episode import write_segment_values
from robovalue_ros.data.value_store.ids import cfg_id, diffusion_cfg, segment_centers_cfg
from robovalue_ros.data.value_store.metadata import segment_metadata
from robovalue_ros.data.value_store.reports import (
    SEGMENT_REPORT,
    CentersRun,
    segment_report,
    write_report,
)
from robovalue_ros.pipelines.estimate.context import RunContext
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.value.config import SegmentConfig
from robovalue_ros.value.episodes import EmbeddedEpisode, NotScored
from robovalue_ros.value.findings import group_findings
from robovalue_ros.value.segment_method import (
    SegmentCurve,
    SegmentModel,
    fit_segments,
    score_segments,
)

if TYPE_CHECKING:
    from robovalue_ros.data.value_store.diffusion import Scorers

CLUSTERING = ("dbscan_eps", "dbscan_min_samples", "dbscan_pca_dim")


class SegmentRun:
    """Implements MethodRun for segment_match50."""

    stage = "segmatch_score"
    needs_all = False

    def __init__(self, context: RunContext, options: SegmentConfig) -> None:
        self._context, self._options = context, options
        config, told = context.config, context.references
        self._centers_cfg = context.completed(
            segment_centers_cfg(
                told, options, vjepa_num_frames=context.clip_frames, epsilon=config.epsilon,
                embed_cfg_id=context.embed_cfg_id,
            )
        )  # fmt: skip
        self._centers_id = cfg_id(self._centers_cfg)
        self._diffusion = options.segment_match_score == "diffusion"
        self._diffusion_cfg = diffusion_cfg(
            told, options, segment_centers_cfg_id=self._segments_id(),
            vjepa_num_frames=context.clip_frames, epsilon=config.epsilon,
            embed_cfg_id=context.embed_cfg_id, trim_signal=config.trim_signal,
            max_episode_len=config.max_episode_len,
        )  # fmt: skip
        self._diffusion_id = cfg_id(self._diffusion_cfg) if self._diffusion else ""

    def _segments_id(self) -> str:
        """Return the id of the segments themselves: denoisers do not look at the clusters."""
        if self._options.compatible:
            return self._centers_id
        kept = {name: v for name, v in self._centers_cfg.items() if name not in CLUSTERING}
        return cfg_id(kept)

    def stored(self, out: Path) -> SegmentModel | None:
        if not (out / SEGMENT_FILE).is_file() or not (out / SEGMENT_REPORT).is_file():
            return None
        try:
            centers = read_segment_centers(out / SEGMENT_FILE)
            about = centers.about
            same = about.cfg_id == self._centers_id
            if not same or about.embed_cfg_id != self._context.embed_cfg_id:
                return None
        except DataError as problem:
            self._context.journal.find(
                Finding("warning", SEGMENT_FILE, str(problem), "It is made anew.")
            )
            return None
        scorers = self._trained(out) if self._diffusion else {}
        if scorers is None:
            return None
        return SegmentModel(
            self._options, centers.groups, scorers, (), group_findings(centers.groups)
        )

    def _trained(self, out: Path) -> Scorers | None:
        """Return the denoisers of an earlier run, if they are what this one would train."""
        from robovalue_ros.data.value_store.diffusion import (
            SCALER_FILE,
            read_scorers,
            stored_diffusion_cfg,
        )

        if not (out / SCALER_FILE).is_file():
            return None
        try:
            if stored_diffusion_cfg(out)[0] != self._diffusion_id:
                return None
            return read_scorers(out, self._diffusion_id)
        except DataError as problem:
            self._context.journal.find(
                Finding("warning", SCALER_FILE, str(problem), "The denoisers are trained anew.")
            )
            return None

    def fit(self, references: Sequence[EmbeddedEpisode], progress: Progress) -> SegmentModel:
        if not self._diffusion:
            return fit_segments(references, self._options)
        scorers = self._trained(self._context.out)
        if scorers is not None:
            plain = replace(self._options, segment_match_score="dist")
            model = fit_segments(references, plain)
            return replace(model, config=self._options, scorers=scorers)
        keys = 2 if self._options.camera_mode == "both" else 1
        tasks = len({episode.task for episode in references})
        epochs = max(1, self._options.segment_match_diffusion_epochs) * keys * tasks
        with progress.stage("training denoisers", epochs) as tick:
            return fit_segments(
                references, self._options, device=self._context.device,
                on_epoch=lambda epoch, loss: tick(1),
            )  # fmt: skip

    def save(self, out: Path, model: SegmentModel, references: Sequence[EmbeddedEpisode]) -> None:
        context, told = self._context, self._context.references
        about = CentersAbout(
            context.embed_cfg_id, self._centers_id, self._centers_cfg, told.signature, told.ids
        )
        write_segment_centers(out / SEGMENT_FILE, model.groups, about)
        if self._diffusion:
            from robovalue_ros.data.value_store.diffusion import training_rows, write_scorers

            rows = training_rows(model.scorers, references, self._options)
            write_scorers(out, self._diffusion_cfg, model.scorers, rows)
        run = CentersRun(
            context.created_at, str(out / SEGMENT_FILE), self._centers_id, context.embed_cfg_id,
            told.signature, len(told.ids), context.config.trim_signal, context.config.epsilon,
        )  # fmt: skip
        write_report(out / SEGMENT_REPORT, segment_report(run, model.groups, self._options))

    def left_out(self, model: SegmentModel) -> Sequence[NotScored]:
        return model.left_out

    def findings(self, model: SegmentModel) -> Sequence[Finding]:
        return model.findings

    def measure(
        self, model: SegmentModel, episodes: Sequence[EmbeddedEpisode]
    ) -> Sequence[SegmentCurve | NotScored]:
        return score_segments(model, episodes, self._options)

    def finish(self, model: SegmentModel, curves: Sequence[SegmentCurve]) -> Sequence[SegmentCurve]:
        return curves

    def scoring_cfg(self, prepared: Prepared, curve: SegmentCurve | None) -> dict[str, Any]:
        scored = self._context.scored(prepared, self._centers_id, self._diffusion_id)
        inert = (*CLUSTERING, "segment_centers_cfg_id") if self._diffusion else ()
        return self._context.scoring_cfg(self._options, scored, *inert)

    def write(
        self, path: Path, curve: SegmentCurve, prepared: Prepared, scoring_cfg: Mapping[str, Any]
    ) -> None:
        span = prepared.span
        write_segment_values(
            path, curve, StoredRecording(prepared.recording.source, span.first, span.last),
            self._options, segment_centers_path=str(self._context.out / SEGMENT_FILE),
            segment_centers_cfg_id=self._centers_id, scoring_cfg=scoring_cfg,
        )  # fmt: skip

    def metadata(self, model: SegmentModel | None, shared: Mapping[str, Any]) -> dict[str, Any]:
        facts = dict(shared) | {
            "segment_centers_path": str(self._context.out / SEGMENT_FILE),
            "segment_centers_cfg_id": self._centers_id, "segment_centers_cfg": self._centers_cfg,
            "diffusion_cfg_id": self._diffusion_id or None,
        }  # fmt: skip
        return segment_metadata(self._options, facts)
