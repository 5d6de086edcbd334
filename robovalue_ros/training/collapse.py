"""Noticing early that a code book collapses: motions that differ end up in the same few codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from robovalue_ros.contracts.types import Finding
from robovalue_ros.segment.tokenizer.levels import SIZES

EARLIEST = 100  # steps; before, also healthy trainings pass through few codes
POOR = 0.03  # share of the codes that could be in use
FEWEST = 2.0
FALLEN = 0.3  # share of the highest perplexity so far
STILL_PERCENT = 2.0
_HIGHEST = "highest_perplexity"


@dataclass(frozen=True, slots=True)
class CodeBook:
    """What a warning needs to know. size: codes there really are. tokens: of the span looked at."""

    size: int
    nominal: int
    tokens: int
    lr: float
    diversity: float


def collapse_finding(
    perplexity: float,
    moving_percent: float,
    book: CodeBook,
    step: int,
    memory: dict[str, float],
) -> Finding | None:
    """Return a warning when few codes are in use or ever fewer, with what to change; else None.

    moving_percent: of the points. memory: kept between calls.
    """
    highest = max(perplexity, memory.get(_HIGHEST, 0.0))
    memory[_HIGHEST] = highest
    if step < EARLIEST:
        return None
    possible = min(book.size, book.tokens)
    if perplexity >= max(FEWEST, POOR * possible) and perplexity >= FALLEN * highest:
        return None
    fell = f", after {highest:.3g} before" if perplexity < FALLEN * highest else ""
    return Finding(
        "warning", "code book",
        f"The code book collapses: after {step} steps about {perplexity:.3g} of {possible} codes "
        f"are in use{fell}.",
        " ".join(_advice(moving_percent, book, bool(fell))),
    )  # fmt: skip


def _advice(moving_percent: float, book: CodeBook, fell: bool) -> list[str]:
    advice = []
    if moving_percent < STILL_PERCENT:
        advice.append(
            f"Only {moving_percent:.2g} % of the points move by a pixel: leave out more still windows "
            "with a higher --vel-norm-thr and --min-active-ratio."
        )
    if fell:
        advice.append(f"Learn more slowly: --lr {book.lr / 3:.1g} --warm-up 0.2 --clip-grad 1.")
    more = 0.3 if book.diversity else 0.1
    if book.diversity < more:
        advice.append(f"Spread motions over the code book: --diversity {more}.")
    smaller = [size for size in SIZES if size < book.nominal]
    if smaller:
        size = smaller[-2] if len(smaller) > 1 else smaller[-1]
        advice.append(f"Or use a smaller code book: --codebook-size {size}.")
    return advice


def moving_percent(told: Mapping[str, float]) -> float:
    """Return the share of moving points that a training told, all when it did not."""
    return told.get("train_nonzero_percent", 100.0)
