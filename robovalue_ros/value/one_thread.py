"""One thread for sums: the same bytes on every machine, whoever else computes meanwhile.

Sums that several threads share out round differently with their number, and products as small as
ours only make threads wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread meanwhile."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Products:
    """How many threads numpy's products use, which is a property of the process.

    Callers in several threads come and go in any order: the first sets one, the last gives back
    what was. A limit for each caller on its own would be lifted while another still computes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._libraries: list[Any] | None = None
        self._before: list[int] = []

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            if self._libraries is None:
                self._libraries = _libraries()
            self._before = [library.num_threads for library in self._libraries]
            self._set([1] * len(self._libraries))

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, threads: Sequence[int]) -> None:
        for library, number in zip(self._libraries or (), threads, strict=True):
            # Newer versions listen only to the thread that set a number first, and here it is
            # any thread's turn.
            forget = getattr(library, "clear_controlling_thread", None)
            if forget is not None:
                forget(force=True)
            library.set_num_threads(number)
            if forget is not None:
                forget(force=True)


def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return [one for one in ThreadpoolController().lib_controllers if one.user_api == "blas"]


_PRODUCTS = _Products()


@contextmanager
def one_thread_products() -> Iterator[None]:
    """Let numpy's matrix products use one thread meanwhile; cheap enough for every frame."""
    _PRODUCTS.enter()
    try:
        yield
    finally:
        _PRODUCTS.leave()
