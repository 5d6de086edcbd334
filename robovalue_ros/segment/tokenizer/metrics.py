"""How much of a code book is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robovalue_ros.contracts.validate import require

DIGITS_AT_MOST = 8
DIGITS_BELOW = 32


def code_counts(codes: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Count how often each of `size` codes occurs; raises ContractError for a code beyond them."""
    flat = np.asarray(codes, np.int64).ravel()
    require(
        not flat.size or (flat.min() >= 0 and flat.max() < size), "codes",
        f"numbers in 0..{size - 1}", f"up to {flat.max(initial=0)}",
    )  # fmt: skip
    return np.bincount(flat, minlength=size).astype(np.int64)


def usage(counts: NDArray[np.int64]) -> dict[str, float]:
    """Return what counts of codes (K,) tell; K is the number of codes that there really are.

    codebook_perplexity: e to the entropy, as if so many codes were used equally often.
    codebook_perplexity_norm: that divided by the smaller of K and the number of tokens.
    entropy_norm: the entropy divided by the largest possible. No token at all gives zeros.
    """
    size, tokens = len(counts), int(counts.sum())
    used = counts[counts > 0] / max(1, tokens)
    entropy = float(-(used * np.log(used)).sum()) + 0.0
    perplexity = math.exp(entropy) if tokens else 0.0
    return {
        "unique_codes": float(len(used)),
        "entropy": entropy,
        "entropy_norm": entropy / math.log(max(size, 2)),
        "codebook_perplexity": perplexity,
        "codebook_perplexity_norm": perplexity / max(1, min(size, tokens)),
        "dead_codes_count": float(size - len(used)),
        "dead_code_ratio": (size - len(used)) / size,
    }


def reference_metrics(codes_bt: NDArray[Any], nominal_size: int) -> dict[str, float]:
    """Return the step metrics of stored training logs, defects included.

    There a window of at most eight tokens with small codes is taken for the digits of one code, the
    nominal size stands for the true one, and the perplexity is smoothed and normalised.
    """
    codes = np.asarray(codes_bt, np.int64)
    counts = np.bincount(codes.ravel())
    share = counts / counts.sum()
    smooth = float(2.0 ** -(share * np.log2(share + 1e-10)).sum())
    ids = _digits_as_codes(codes)
    _, times = np.unique(ids, return_counts=True)
    told = usage(times.astype(np.int64))
    reach = max(int(ids.max()) + 1, nominal_size, 2)
    return {
        "train_codebook_perplexity": smooth / min(nominal_size, codes.size),
        "perplexity_unnormalised": smooth,
        "train_unique_codes_step": float(len(times)),
        "train_effective_codebook_size_seen": float(len(times)),
        "train_entropy_step": told["entropy"],
        "train_entropy_norm_step": told["entropy"] / math.log(reach),
        "train_perplexity_step": told["codebook_perplexity"],
    }


def _digits_as_codes(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    if codes.shape[-1] > DIGITS_AT_MOST or codes.max() >= DIGITS_BELOW:
        return codes.ravel()
    digits = codes.reshape(-1, codes.shape[-1])
    radices = digits.max(axis=0) + 1
    basis = np.concatenate([[1], np.cumprod(radices)[:-1]])
    ids: NDArray[np.int64] = digits @ basis
    return ids
