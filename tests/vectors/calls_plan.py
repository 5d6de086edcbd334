"""The functions behind the entries of plan.json, joined from its two topics.

An entry names its function and holds its arguments by name. Numbers agree to 1e-6 of their size,
whole numbers exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import plan_build
import plan_training
from vector_cases import Case, assert_matches, unknown

CALLS: dict[str, Callable[..., Any]] = {**plan_build.CALLS, **plan_training.CALLS}
TOLERANCE = 1e-6


def cases(document: Mapping[str, Any]) -> Iterator[Case]:
    for entry in document.get("vectors", ()):
        name, function = entry["name"], entry["function"]
        if function not in CALLS:
            yield unknown(name, f"the function {function!r}")
        else:
            yield Case(name, partial(_check, CALLS[function], entry))
    for part in sorted(set(document) - {"vectors", "torch", "numpy", "tolerance"}):
        yield unknown(part, f"the part {part!r}")


def _check(call: Callable[..., Any], entry: Mapping[str, Any]) -> None:
    expected, args = entry["expected"], entry["args"]
    wanted = expected.get("raises") if isinstance(expected, Mapping) else None
    if wanted is None and _is_refusal(expected):
        wanted = expected
    if wanted is None:
        _compare(_plain(call(**args)), expected, entry["name"])
        return
    try:
        call(**args)
    except (ValueError, FileNotFoundError) as problem:
        kind, _, text = wanted.partition(": ")
        assert kind in {base.__name__ for base in type(problem).__mro__}, f"{problem!r}: no {kind}"
        assert str(problem) == text, f"{problem}, not {text}"
    else:
        raise AssertionError(f"expected {wanted}, got an answer")


def _is_refusal(expected: Any) -> bool:
    return isinstance(expected, str) and expected.startswith(("ValueError: ", "FileNotFoundError"))


def _compare(got: Any, expected: Any, name: str) -> None:
    if isinstance(expected, int) and not isinstance(expected, bool):
        assert got == expected, (
            f"{name}: {got}, not {expected}"
        )  # hashes have more digits than floats
        return
    assert_matches(got, expected, 0.0, TOLERANCE, name)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
