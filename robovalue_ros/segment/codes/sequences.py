"""What the tokenizer said about one segment, and how it becomes the input of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Metric = Literal["euclidean", "cosine"]
PAD = 0
# The largest code book that tokenizers have; used when nothing else tells its size.
UNKNOWN_SIZE = 2048


@dataclass(frozen=True, slots=True, eq=False)
class CodeSequence:
    """The codes (n,) of one segment in time order, n >= 1, none negative.

    name: its file, relative to the folder of all. label: its class, where one is known. vectors:
    (m, D) quantised vectors of its tokens, where they were stored. codebook_size: what the file
    says, where it does.
    """

    name: str
    codes: Ints
    label: str | None = None
    vectors: Floats | None = None
    codebook_size: int | None = None

    def __post_init__(self) -> None:
        require(self.codes.ndim == 1 and len(self.codes) > 0, "codes", "at least one", "none")
        require(int(self.codes.min()) >= 0, "codes", "no negative code", int(self.codes.min()))


def codebook_size(sequences: Sequence[CodeSequence]) -> int:
    """Return one code book size for all sequences, so that their vectors can be stacked.

    It is the largest that a file states, else one more than the largest code; never less than what
    the codes need. Without sequences: 2048.
    """
    if not sequences:
        return UNKNOWN_SIZE
    needed = max(int(sequence.codes.max()) for sequence in sequences) + 1
    return max(needed, *(s.codebook_size or 0 for s in sequences))


def vocabulary_size(size: int, sequences: Sequence[CodeSequence]) -> int:
    """Return the number of tokens: one per code of the book, and the padding."""
    largest = max((int(sequence.codes.max()) for sequence in sequences), default=0)
    return max(size, largest + 1) + 1


def padded_tokens(codes: Sequence[Ints], max_len: int) -> Ints:
    """Return tokens (N, max_len): code + 1, cut to max_len, 0 where a sequence has ended."""
    require(max_len > 0, "max_len", "at least one", max_len)
    tokens = np.full((len(codes), max_len), PAD, np.int64)
    for row, sequence in zip(tokens, codes, strict=True):
        kept = sequence[:max_len]
        row[: len(kept)] = kept + 1
    return tokens
