"""How a motion tokenizer is built and what its training punishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from robovalue_ros.contracts.config import option
from robovalue_ros.contracts.validate import require
from robovalue_ros.segment.tokenizer.levels import fsq_levels, true_size

Attention = Literal["causal", "diag", "full"]
ClassWeights = Literal["none", "radial"]
GridKind = Literal["cells", "reference"]


@dataclass(frozen=True)
class TokenizerConfig:
    """The shape of a network, stored with its weights.

    grid: which points were followed, and in which order; `reference` are those of older data.
    """

    views: tuple[str, ...] = option(("default",), "cameras whose points are looked at together")
    num_tracks: int = option(400, "points in a frame", low=1)
    steps: int = option(15, "velocities in a window: its frames less one", low=1)
    img_shape: tuple[int, int] = option(
        (480, 480), "height and width in pixels in which displacements are told apart"
    )
    hidden_dim: int = option(768, "width of the network", low=8)
    num_heads: int = option(8, "attention heads", low=1)
    num_layers: int = option(2, "layers of the encoder; the decoder has half as many", low=1)
    dropout: float = option(0.1, "share of activations left out in training", low=0.0, high=0.9)
    codebook_size: int = option(2048, "codes: 16, 64, 256, 512, 1024, 2048 or 4096", low=1)
    per_view: bool = option(False, "one token per camera and step instead of one per step")
    attention: Attention = option(
        "causal", "what a step of the encoder sees: itself and earlier, itself (diag), all"
    )
    z_noise_std: float = option(0.01, "noise on the encoder's output in training", low=0.0)
    decoder_pos_scale: float = option(0.2, "weight of a point's and a camera's place", low=0.0)
    classes_per_axis: int = option(15, "displacements told apart along an axis, odd", low=3)
    grid: GridKind = option("cells", "which points are followed, and in which order")

    def __post_init__(self) -> None:
        fsq_levels(self.codebook_size)
        require(len(self.views) > 0, "views", "at least one camera", self.views)
        require(len(set(self.views)) == len(self.views), "views", "different names", self.views)
        require(min(self.img_shape) > 0, "img_shape", "positive sides", self.img_shape)
        require(
            self.hidden_dim % self.num_heads == 0, "hidden_dim",
            f"a multiple of num_heads ({self.num_heads})", self.hidden_dim,
        )  # fmt: skip
        require(
            self.classes_per_axis % 2 == 1,
            "classes_per_axis",
            "an odd number",
            self.classes_per_axis,
        )

    @property
    def levels(self) -> tuple[int, ...]:
        """Return the levels along each dimension of the code book."""
        return fsq_levels(self.codebook_size)

    @property
    def true_size(self) -> int:
        """Return how many codes there really are."""
        return true_size(self.levels)

    @property
    def tokens(self) -> int:
        """Return how many codes a window gets."""
        return self.steps * (len(self.views) if self.per_view else 1)

    @property
    def classes(self) -> int:
        """Return how many displacements are told apart."""
        return self.classes_per_axis**2


@dataclass(frozen=True)
class LossConfig:
    """What training punishes: a wrong displacement, the more the larger the true one is."""

    use_focal: bool = option(True, "punish less where the network is already sure (focal loss)")
    focal_gamma: float = option(4.0, "how much less; 0: not at all", low=0.0)
    focal_alpha: float = option(0.5, "weight of the focal loss", low=0.0)
    class_weight_mode: ClassWeights = option("radial", "radial: large displacements weigh more")
    class_weight_strength: float = option(4.0, "how much more the largest weighs", low=0.0)
    class_weight_power: float = option(2.0, "how the weight grows with the displacement", low=0.0)
    view_weights: tuple[float, ...] | None = option(None, "weight of each camera; none: one each")
    diversity: float = option(
        0.1, "weight of a term that spreads motions over the code book; 0: none", low=0.0
    )
    loss_points: int = option(
        100, "points that a training step asks for, drawn anew each time: what they cost is most of "
        "the work; 0: all", low=0,
    )  # fmt: skip
