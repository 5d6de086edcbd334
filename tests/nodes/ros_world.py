"""A ROS world of its own for a test process: nobody else hears it, and it leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robovalue_ros.nodes.caught import Caught

SHM = Path("/dev/shm")


def isolate() -> dict[str, str]:
    """Give this process, and those it starts, a domain of their own; return what was set.

    Domains 1..101 work everywhere; two processes that draw the same one are kept apart by the
    worker number of pytest-xdist as far as it goes.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0)
    chosen = {
        "ROS_DOMAIN_ID": str(1 + (worker * 37 + os.getpid()) % 101),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    os.environ.update(chosen)
    return chosen


def segments() -> set[str]:
    """Name the shared memory segments of Fast DDS that belong to this process or nobody.

    Other test processes run at the same time, so only segments that this process maps count.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    return {path.name for path in SHM.glob("*fastdds*") if path.name in maps}


def orphans(names: Iterable[str]) -> list[str]:
    """Return the segments that no living process maps."""
    used = []
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            used.append(maps.read_text(encoding="utf-8"))
        except OSError:  # ended meanwhile
            continue
    return [name for name in names if not any(name in text for text in used)]


@contextmanager
def leaves_nothing(settle_s: float = 10.0) -> Iterator[None]:
    """Assert that the block leaves no thread and no shared memory behind."""
    threads, memory = set(threading.enumerate()), segments()
    yield
    end = time.monotonic() + settle_s
    while time.monotonic() < end:
        gc.collect()  # a lifecycle node refers to itself
        left = {thread.name for thread in threading.enumerate() if thread not in threads}
        kept = segments() - memory
        if not left and not kept:
            return
        time.sleep(0.02)
    assert not left, f"threads are left: {sorted(left)}"
    assert not kept, f"shared memory is left: {sorted(kept)}"


class World:
    """A context, an executor that a thread of its own spins, and the nodes inside."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self._make = lambda: SingleThreadedExecutor(context=self.context)
        self._spinners: list[_Spinner] = []
        self.nodes: list[Any] = []

    def node(self, name: str) -> Any:
        """Return a plain node that is spun in a thread."""
        import rclpy

        return self.spin(rclpy.create_node(name, context=self.context))

    def spin(self, node: Any) -> Any:
        """Spin a node in a thread of its own, and end it with the world."""
        self.nodes.append(node)
        self._spinners.append(_Spinner(self._make(), node))
        return node

    def close(self) -> None:
        import rclpy

        for node in self.nodes:
            if hasattr(node, "finish"):
                node.finish()
        for spinner in self._spinners:
            spinner.stop()
        for node in self.nodes:
            node.destroy_node()
        self.nodes.clear()
        self._spinners.clear()
        rclpy.shutdown(context=self.context)


class _Spinner:
    def __init__(self, executor: Any, node: Any) -> None:
        self._executor, self._over = executor, False
        executor.add_node(node)
        self._caught = Caught()
        self._thread = threading.Thread(target=self._run, name="test-spinner")
        self._thread.start()

    def _run(self) -> None:
        with self._caught:
            while not self._over:
                self._executor.spin_once(timeout_sec=0.05)

    def stop(self) -> None:
        self._over = True
        self._thread.join(10.0)
        self._executor.shutdown(timeout_sec=2.0)
        if self._caught.error is not None:
            raise self._caught.error


def wait_for(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Wait until something is true; fails naming it when that takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {seconds} s: {what}")


def call(node: Any, kind: Any, name: str, request: Any = None, seconds: float = 20.0) -> Any:
    """Call a service of a node that a thread spins; return the response."""
    client = node.create_client(kind, name)
    try:
        assert client.wait_for_service(timeout_sec=seconds), f"no service {name}"
        future = client.call_async(kind.Request() if request is None else request)
        wait_for(future.done, f"answer of {name}", seconds)
        return future.result()
    finally:
        node.destroy_client(client)
