"""The functions behind the entries of plan.json about sampling, statistics and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CALLS: dict[str, Callable[..., Any]] = {}
