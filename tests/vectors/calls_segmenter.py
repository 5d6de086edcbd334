"""The functions behind the entries of segmenter.json, joined from its three topics.

An entry names its function and holds its arguments by name, or in a list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import segmenter_codes
import segmenter_core
import segmenter_tokenizer
from vector_cases import Case, assert_matches, unknown

from robovalue_ros.contracts.errors import RobovalueError

CALLS: dict[str, Callable[..., Any]] = {
    **segmenter_core.CALLS,
    **segmenter_tokenizer.CALLS,
    **segmenter_codes.CALLS,
}


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    for entry in document.get("vectors", ()):
        name, function = entry["name"], entry["function"]
        if function not in CALLS:
            yield unknown(name, f"the function {function!r}")
        else:
            yield Case(name, partial(_check, CALLS[function], entry))
    for part in sorted(set(document) - {"vectors", "torch", "numpy", "tolerance", "nan"}):
        yield unknown(part, f"the part {part!r}")


def _check(call: Callable[..., Any], entry: Mapping[str, Any]) -> None:
    expected, args = entry["expected"], entry["args"]
    if isinstance(expected, Mapping) and set(expected) == {"raises"}:
        _check_refusal(call, args)
        return
    assert_matches(_plain(_answer(call, args)), expected, 1e-7, 1e-5, entry["name"])


def _answer(call: Callable[..., Any], args: Any) -> Any:
    return call(**args) if isinstance(args, Mapping) else call(*args)


def _check_refusal(call: Callable[..., Any], args: Any) -> None:
    """What used to crash somehow is refused in words."""
    try:
        _answer(call, args)
    except RobovalueError as problem:
        assert str(problem)
    else:
        raise AssertionError("expected an error, got an answer")


def _plain(value: Any) -> Any:
    """Write NaN as null, as the file does."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
