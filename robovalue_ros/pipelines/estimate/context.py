"""What both methods are told about the run they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robovalue_ros.data.value_store.ids import References, Scored, scoring_cfg
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.prepare import Prepared
from robovalue_ros.value.config import ProgressConfig, SegmentConfig

CHOOSING = ("success_mode", "shortest_p", "max_success_episodes")


@dataclass(frozen=True, slots=True, eq=False)
class RunContext:
    """embed_cfg_id: of encoder, precision and clips. device: for training, as torch names it."""

    config: EstimateConfig
    references: References
    embed_cfg_id: str
    clip_frames: int
    device: str
    created_at: str
    journal: Journal

    @property
    def out(self) -> Path:
        return self.config.out_cache_dir

    def completed(self, cfg: Mapping[str, Any]) -> dict[str, Any]:
        """Add to a configuration what today's ids leave out, and drop what cannot matter.

        Left alone where today's ids are asked for.
        """
        config = self.config
        if config.compatible:
            return dict(cfg)
        whole = dict(cfg) | {
            "compat": config.compat, "trim_signal": config.trim_signal,
            "epsilon": float(config.epsilon), "max_episode_len": config.max_episode_len,
            "embed_cfg_id": self.embed_cfg_id,
        }  # fmt: skip
        return {name: value for name, value in whole.items() if name not in self._inert}

    @property
    def _inert(self) -> set[str]:
        """Options that change nothing: the signature of the references says who was chosen."""
        one_camera = self.config.camera_mode != "both"
        return set(CHOOSING) | ({"camera_fusion"} if one_camera else set())

    def scoring_cfg(
        self, options: ProgressConfig | SegmentConfig, scored: Scored, *inert: str
    ) -> dict[str, Any]:
        """Return what the values of a recording depend on. inert: further names to drop."""
        whole = scoring_cfg(options, scored)
        if self.config.compatible:
            return whole
        dropped = self._inert | set(inert)
        return {name: value for name, value in whole.items() if name not in dropped}

    def scored(self, prepared: Prepared, centers_cfg_id: str, model_cfg_id: str) -> Scored:
        """Return a recording as the configuration of its result tells it."""
        config = self.config
        return Scored(
            source=prepared.recording.source, is_success=prepared.is_success,
            file_id=prepared.file_id, trim_signal=config.trim_signal, epsilon=config.epsilon,
            max_episode_len=config.max_episode_len, embed_cfg_id=self.embed_cfg_id,
            centers_cfg_id=centers_cfg_id, references=self.references, model_cfg_id=model_cfg_id,
        )  # fmt: skip
