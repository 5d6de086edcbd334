"""The quantiser: equal to the package that people know, and right by its own rules."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robovalue_ros.contracts.errors import ConfigError
from robovalue_ros.segment.tokenizer.fsq import FiniteScalarQuantizer, code_indices, quantised
from robovalue_ros.segment.tokenizer.levels import SIZES, fsq_levels, true_size

TRUE_SIZES = {16: 15, 64: 64, 256: 240, 512: 512, 1024: 1000, 2048: 1920, 4096: 4375}


@pytest.mark.parametrize("size", SIZES)
def test_equal_to_the_package_to_the_bit(size: int) -> None:
    from vector_quantize_pytorch import FSQ

    theirs = FSQ(list(fsq_levels(size)), dim=24)
    ours = FiniteScalarQuantizer(24, fsq_levels(size))
    ours.load_state_dict(theirs.state_dict())
    z = 4 * torch.randn(50, 15, 24, generator=torch.Generator().manual_seed(size))
    z.requires_grad_(True)
    (tokens, codes), (mine, numbers, _) = theirs(z), ours(z)
    assert torch.equal(tokens, mine) and torch.equal(codes, numbers)
    assert numbers.dtype == torch.int32 and ours.size == theirs.codebook_size == TRUE_SIZES[size]
    gradients = [torch.autograd.grad(out.square().sum(), z)[0] for out in (tokens, mine)]
    assert torch.equal(*gradients)


@given(st.sampled_from(SIZES), st.integers(0, 2**31))
def test_every_code_has_its_own_number(size: int, seed: int) -> None:
    levels = torch.tensor(fsq_levels(size), dtype=torch.int32)
    z = 5 * torch.randn(200, len(levels), generator=torch.Generator().manual_seed(seed))
    codes = quantised(z, levels)
    numbers = code_indices(codes, levels)
    assert int(numbers.min()) >= 0 and int(numbers.max()) < true_size(fsq_levels(size))
    assert len(torch.unique(codes, dim=0)) == len(torch.unique(numbers))
    assert codes.abs().max() <= 1


@pytest.mark.parametrize("size", [0, -5, 8, 32, 128, 8192])
def test_sizes_without_a_code_book_are_refused_at_once(size: int) -> None:
    with pytest.raises(ConfigError, match="16, 64, 256"):
        fsq_levels(size)


def test_only_the_whole_part_of_the_logarithm_counts() -> None:
    assert fsq_levels(3000) == fsq_levels(2048)
