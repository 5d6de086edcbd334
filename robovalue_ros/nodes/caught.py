"""Errors kept for another thread, or for somebody who knows what to do with them."""

from __future__ import annotations


class Caught:
    """Keeps an error that leaves its block in `error`; an order to stop passes through."""

    error: Exception | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return isinstance(error, Exception)
