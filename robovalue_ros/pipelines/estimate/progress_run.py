"""progress_warp in a run: `cluster_centers.npz`, `warp_f.npz` and one curve per recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.progress import Progress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.value_store.centers import (
    CLUSTER_FILE,
    CLUSTER_SCHEMA,
    CentersAbout,
    read_cluster_centers,
    write_cluster_centers,
)
from robovalue_ros.data.value_store.episode import Recording as StoredRecording
from robovalue_ros.data.value_store.episode import write_progress_values
from robovalue_ros.data.value_store.ids import centers_cfg, cfg_id, warp_cfg
from robovalue_ros.data.value_store.metadata import progress_metadata
from robovalue_ros.data.value_store.reports import (
    CLUSTER_REPORT,
    CentersRun,
    cluster_report,
    write_report,
)
from robovalue_ros.data.value_store.warp import (
    WARP_FILE,
    StoredWarp,
    read_warp,
    warp_info,
    write_warp,
)
from robovalue_ros.pipelines.estimate.context import RunContext
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.value.config import ProgressConfig
from robovalue_ros.value.episodes import EmbeddedEpisode, NotScored
from robovalue_ros.value.findings import group_findings
from robovalue_ros.value.progress_method import (
    ProgressCurve,
    ProgressModel,
    fit_progress,
    measure_progress,
    value_progress,
)
from robovalue_ros.value.warp import identity

NOT_OF_THE_FIT = ("value_mapping", "failure_end_value", "minmax_skip_prefix_k")


class ProgressRun:
    """Implements MethodRun for progress_warp."""

    stage = "distance"

    def __init__(self, context: RunContext, options: ProgressConfig) -> None:
        self._context, self._options = context, options
        self.needs_all = options.value_mapping == "sigmoid"
        self._centers_cfg = context.completed(centers_cfg(context.references, options))
        self._centers_id = cfg_id(self._centers_cfg)
        self._warp_cfg = warp_cfg(
            context.references, options,
            embed_cfg_id=context.embed_cfg_id, centers_cfg_id=self._centers_id,
        )  # fmt: skip
        if not options.compatible:
            # Today's id counts options that act after the warp and leaves out one that shapes it.
            for name in NOT_OF_THE_FIT:
                del self._warp_cfg[name]
            self._warp_cfg["norm_eps"] = float(options.norm_eps)
        self._warp_id = cfg_id(self._warp_cfg) if options.warp_enable else ""
        self._norms: dict[str, Any] = {}

    def stored(self, out: Path) -> ProgressModel | None:
        needed = [CLUSTER_FILE, CLUSTER_REPORT, *([WARP_FILE] if self._options.warp_enable else [])]
        if not all((out / name).is_file() for name in needed):
            return None
        warp, used = identity(), 0
        try:
            centers = read_cluster_centers(out / CLUSTER_FILE)
            if self._options.warp_enable:
                kept = read_warp(out / WARP_FILE)
                if kept.cfg_id != self._warp_id:
                    return None
                warp, used = kept.warp, kept.used_success_episodes
        except DataError as problem:
            self._context.journal.find(
                Finding("warning", CLUSTER_FILE, str(problem), "It is made anew.")
            )
            return None
        about = centers.about
        if about.cfg_id != self._centers_id or about.embed_cfg_id != self._context.embed_cfg_id:
            return None
        whole = {t: {key: (g,) for key, g in keys.items()} for t, keys in centers.groups.items()}
        return ProgressModel(self._options, centers.groups, warp, used, (), group_findings(whole))

    def fit(self, references: Sequence[EmbeddedEpisode], progress: Progress) -> ProgressModel:
        return fit_progress(references, self._options)

    def save(self, out: Path, model: ProgressModel, references: Sequence[EmbeddedEpisode]) -> None:
        context, told = self._context, self._context.references
        about = CentersAbout(
            context.embed_cfg_id, self._centers_id, self._centers_cfg, told.signature, told.ids
        )
        write_cluster_centers(out / CLUSTER_FILE, model.groups, about)
        if self._options.warp_enable:
            skipped = len(told.ids) - model.warp_used
            stored = StoredWarp(model.warp, self._warp_id, self._warp_cfg, model.warp_used, skipped)
            write_warp(out / WARP_FILE, stored)
        run = CentersRun(
            context.created_at, str(out / CLUSTER_FILE), self._centers_id, context.embed_cfg_id,
            told.signature, len(told.ids), context.config.trim_signal, context.config.epsilon,
        )  # fmt: skip
        write_report(out / CLUSTER_REPORT, cluster_report(run, model.groups, self._options))

    def left_out(self, model: ProgressModel) -> Sequence[NotScored]:
        return model.left_out

    def findings(self, model: ProgressModel) -> Sequence[Finding]:
        return model.findings

    def measure(
        self, model: ProgressModel, episodes: Sequence[EmbeddedEpisode]
    ) -> Sequence[ProgressCurve | NotScored]:
        return [measure_progress(model, episode, self._options) for episode in episodes]

    def finish(
        self, model: ProgressModel, curves: Sequence[ProgressCurve]
    ) -> Sequence[ProgressCurve]:
        valued = [
            curve
            for curve in value_progress(model.warp, curves, self._options)
            if isinstance(curve, ProgressCurve)
        ]
        if self.needs_all:
            self._norms = {curve.task: asdict(curve.sigmoid) for curve in valued}
        return valued

    def scoring_cfg(self, prepared: Prepared, curve: ProgressCurve | None) -> dict[str, Any]:
        scored = self._context.scored(prepared, self._centers_id, self._warp_id)
        if curve is not None and self.needs_all:
            low, high = curve.sigmoid.low, curve.sigmoid.high
            scored = replace(scored, norm_min=low, norm_max=high)
        inert = () if prepared.is_success else ("set_success_terminal_reward",)
        return self._context.scoring_cfg(self._options, scored, *inert)

    def write(
        self, path: Path, curve: ProgressCurve, prepared: Prepared, scoring_cfg: Mapping[str, Any]
    ) -> None:
        span = prepared.span
        write_progress_values(
            path, curve, StoredRecording(prepared.recording.source, span.first, span.last),
            self._options, embed_cfg_id=self._context.embed_cfg_id,
            centers_cfg_id=self._centers_id, warp_cfg_id=self._warp_id, scoring_cfg=scoring_cfg,
        )  # fmt: skip

    def metadata(self, model: ProgressModel | None, shared: Mapping[str, Any]) -> dict[str, Any]:
        groups = (
            [] if model is None else [g for keys in model.groups.values() for g in keys.values()]
        )
        out = self._context.out
        warped = self._options.warp_enable
        facts = dict(shared) | {
            "cluster_centers_schema_version": CLUSTER_SCHEMA,
            "cluster_centers_embed_cfg_id": self._context.embed_cfg_id,
            "cluster_centers_path": str(out / CLUSTER_FILE),
            "cluster_centers_cfg_id": self._centers_id, "cluster_centers_cfg": self._centers_cfg,
            "l2_normalize_groups": {
                "enabled": sum(group.scaler.l2 for group in groups), "total": len(groups),
            },
            "warp_path": str(out / WARP_FILE) if warped else None, "warp_cfg_id": self._warp_id,
            "warp_cfg": self._warp_cfg if warped else None,
            "norm_stats": self._norms,
            "warp_info": warp_info(model.warp) if model is not None and warped else None,
        }  # fmt: skip
        return progress_metadata(self._options, facts)
