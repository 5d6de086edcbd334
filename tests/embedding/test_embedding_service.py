"""Vectors do not depend on the cache, on batches, on threads or on the company of other clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from robovalue_ros.contracts.errors import ConfigError, ContractError, DataError
from robovalue_ros.contracts.fakes import FakeEncoder
from robovalue_ros.contracts.frames import ArrayFrames, FrameSource, Image
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.pipelines.embedding.service import ClipRequest, Embedder, EmbeddingOptions
from robovalue_ros.value.embed import prefix_indices, range_indices, segment_bounds

Vectors = NDArray[np.float32]
FRAMES = 8


class Counted(FrameSource):
    """Random frames that count how often they are read; `broken` cannot be decoded."""

    def __init__(
        self,
        length: int,
        seed: int = 0,
        size: tuple[int, int] = (20, 24),
        broken: int | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.frames = rng.integers(0, 256, (length, *size, 3), dtype=np.uint8)
        self.broken, self.reads = broken, 0

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> tuple[int, int]:
        return self.frames.shape[1], self.frames.shape[2]

    def read(self, index: int) -> Image:
        self.reads += 1
        if self._check_index(index) == self.broken:
            raise DataError("a.hdf5", f"frame {index} does not decode")
        return self.frames[index]


class Unloaded(FakeEncoder):
    """Must never be run."""

    def encode(self, clips: Image) -> Vectors:
        raise AssertionError("everything is cached, so nothing may be encoded")


class Watched(FakeEncoder):
    """Remembers the size of each call; asks for four clips at once."""

    clips_per_pass = 4

    def __init__(self) -> None:
        super().__init__(4, FRAMES)
        self.calls: list[int] = []

    def encode(self, clips: Image) -> Vectors:
        self.calls.append(len(clips))
        return super().encode(clips)


class Heard:
    """Progress that can be asked."""

    def __init__(self) -> None:
        self.total: int | None = 0
        self.ticks = 0

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        self.total = total
        yield self._tick

    def say(self, text: str) -> None:
        pass

    def _tick(self, count: int) -> None:
        self.ticks += count


def prefixes(length: int, stride: int = 1) -> NDArray[np.int64]:
    return np.stack([prefix_indices(t + 1, FRAMES) for t in range(0, length, stride)])


def segments(length: int, count: int = 5) -> NDArray[np.int64]:
    return np.stack([range_indices(a, b, FRAMES) for a, b in segment_bounds(length, count)])


def asked(
    sources: dict[str, FrameSource], *, content: bool = True, cameras: tuple[str, ...] = ("high",)
) -> list[ClipRequest]:
    """Ask each recording for its prefixes and its segments."""
    return [
        ClipRequest(name, camera, source, f"{name} {camera}" if content else None, policy, indices)
        for name, source in sources.items()
        for camera in cameras
        for policy, indices in (
            ("prefix", prefixes(len(source))), ("seg5", segments(len(source))),
        )
    ]  # fmt: skip


def plainly(encoder: Any, requests: list[ClipRequest]) -> list[Vectors]:
    """Encode every clip for itself."""
    return [
        np.concatenate([encoder.encode(request.source.gather(clip)[None])
                        for clip in request.indices_NF])
        for request in requests
    ]  # fmt: skip


def equal(first: Any, second: Any) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b) and a.dtype == b.dtype == np.float32
        for a, b in zip(first, second, strict=True)
    )


def embedder(store: Path | None, encoder: Any = None, **options: Any) -> Embedder:
    encoder = encoder or FakeEncoder(4, FRAMES)
    kept = None if store is None else EmbeddingStore(store)
    return Embedder(
        {"high": encoder, "wrist": encoder}, kept, EmbeddingOptions(**{"workers": 2, **options})
    )


@pytest.mark.parametrize("batch_size", [1, 3])
def test_v_jepa_vectors_are_those_of_single_clips(
    vjepa2: Callable[..., Any], tmp_path: Path, batch_size: int
) -> None:
    encoder = vjepa2(batch_size=batch_size)
    sources: dict[str, FrameSource] = {f"r{k}": Counted(9 + k, k) for k in range(3)}
    requests = asked(sources, content=False, cameras=("high", "wrist"))
    wanted = plainly(encoder, requests)
    service = embedder(tmp_path, encoder)
    assert equal(service.embed(requests), wanted)
    again = embedder(tmp_path, vjepa2(batch_size=batch_size))
    assert equal(again.embed(requests), wanted)
    assert (again.computed, again.reused) == (0, sum(map(len, requests)))
    assert equal(embedder(None, encoder).embed(requests), wanted)


def test_networks_of_single_frames_see_each_frame_once(
    dinov2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources: dict[str, FrameSource] = {f"r{k}": Counted(70 + k, k) for k in range(2)}
    requests = asked(sources)
    wanted = plainly(dinov2, requests)
    frames: list[int] = []
    encode = dinov2.encode_frames
    monkeypatch.setattr(dinov2, "encode_frames", lambda f: (frames.append(len(f)), encode(f))[1])
    assert equal(embedder(tmp_path, dinov2).embed(requests), wanted)
    assert sum(frames) == 70 + 71


@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=5),
    workers=st.integers(1, 3), bank_mb=st.sampled_from([1, 64]), stored=st.booleans(),
    data=st.data(),
)  # fmt: skip
def test_vectors_depend_on_their_clip_alone(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    workers: int,
    bank_mb: int,
    stored: bool,
    data: st.DataObject,
) -> None:
    requests = []
    for number, length in enumerate(lengths):
        source = Counted(length, number, size=(80 + number % 2, 99))
        for policy in ("a", "b"):
            clips = st.lists(st.integers(0, length - 1), min_size=FRAMES, max_size=FRAMES)
            picked = data.draw(st.lists(clips, max_size=6))
            indices = np.array(picked, np.int64).reshape(-1, FRAMES)
            requests.append(ClipRequest(f"r{number}", "high", source, None, policy, indices))
    encoder = Watched()
    service = embedder(
        tmp_path_factory.mktemp("c") if stored else None, encoder, workers=workers, bank_mb=bank_mb
    )
    found = service.embed(requests)
    for request, vectors in zip(requests, found, strict=True):
        wanted = (
            plainly(FakeEncoder(4, FRAMES), [request])[0] if len(request) else np.zeros((0, 48))
        )
        assert np.array_equal(vectors, wanted)
    assert service.computed + service.reused == sum(map(len, requests))


def test_everything_cached_reads_and_loads_nothing(tmp_path: Path) -> None:
    sources: dict[str, FrameSource] = {"a": Counted(20), "b": Counted(30, 1)}
    wanted = embedder(tmp_path).embed(asked(sources))
    unread: dict[str, FrameSource] = {"a": Counted(20, 8, broken=0), "b": Counted(30, 9)}
    heard = Heard()
    again = Embedder({"high": Unloaded(4, FRAMES)}, EmbeddingStore(tmp_path), progress=heard)
    assert equal(again.embed(asked(unread)), wanted)
    assert [source.reads for source in unread.values()] == [0, 0]  # type: ignore[attr-defined]
    assert heard.ticks == heard.total == again.reused == 60


def test_equal_clips_of_one_call_are_computed_once(tmp_path: Path) -> None:
    source = Counted(40)
    encoder = Watched()
    indices = segments(40)
    service = embedder(tmp_path, encoder)
    found = service.embed(
        [ClipRequest("a", "high", source, "a", policy, indices) for policy in ("seg5", "win5s8")]
    )
    assert equal(found[:1], found[1:])
    assert (service.computed, service.reused, sum(encoder.calls)) == (5, 5, 5)
    assert source.reads == 40 or source.reads == len(np.unique(indices))
    # A new series beside a stored one takes the vectors of equal clips, then has its own.
    for policies in (("seg5", "new"), ("new",)):
        third = embedder(tmp_path, Unloaded(4, FRAMES))
        asking = [ClipRequest("a", "high", source, "a", policy, indices) for policy in policies]
        assert equal(third.embed(asking), found[: len(policies)])


def test_batches_are_full_across_recordings() -> None:
    encoder = Watched()
    sources: dict[str, FrameSource] = {f"r{k}": Counted(3 + k, k) for k in range(7)}
    requests = [r for r in asked(sources) if r.policy == "prefix"]
    assert equal(embedder(None, encoder).embed(requests), plainly(FakeEncoder(4, FRAMES), requests))
    assert encoder.calls == [4] * 10 + [2]


def test_each_frame_is_decoded_once() -> None:
    source = Counted(50)
    embedder(None).embed(asked({"a": source}))
    assert source.reads == 50


def test_a_damaged_frame_costs_its_recording_and_no_other(tmp_path: Path) -> None:
    sources: dict[str, FrameSource] = {
        "a": Counted(12), "b": Counted(15, 1, broken=7), "c": Counted(10, 2)
    }  # fmt: skip
    heard = Heard()
    encoder = FakeEncoder(4, FRAMES)
    requests = asked(sources)
    service = Embedder({"high": encoder}, EmbeddingStore(tmp_path), progress=heard)
    found = service.embed(requests)
    assert [isinstance(answer, DataError) for answer in found] == [False] * 2 + [True] * 2 + [
        False
    ] * 2
    assert "frame 7" in str(found[2])
    good = [place for place in range(6) if place not in (2, 3)]
    wanted = plainly(encoder, [requests[place] for place in good])
    assert equal([found[place] for place in good], wanted)
    assert heard.ticks == heard.total
    # Without a name for the content every frame has to be hashed, which meets the damage too.
    unnamed = embedder(tmp_path / "other").embed(asked(sources, content=False))
    assert [isinstance(answer, DataError) for answer in unnamed] == [False] * 2 + [True] * 2 + [
        False
    ] * 2


def test_damaged_parts_of_the_cache_are_computed_again(tmp_path: Path) -> None:
    sources: dict[str, FrameSource] = {f"r{k}": Counted(12 + k, k) for k in range(3)}
    requests = asked(sources)
    wanted = embedder(tmp_path).embed(requests)
    parts = sorted(tmp_path.rglob("part-*.npz"))
    assert len(parts) == 3
    content = bytearray(parts[1].read_bytes())
    content[len(content) // 2] ^= 1
    parts[1].write_bytes(bytes(content))
    parts[2].write_bytes(b"")
    service = embedder(tmp_path)
    assert equal(service.embed(requests), wanted)
    assert 0 < service.computed < sum(map(len, requests)) and service.reused > 0
    assert len(service.findings) == 2
    third = embedder(tmp_path)
    assert equal(third.embed(requests), wanted) and third.computed == 0


def test_what_was_computed_before_an_interruption_is_kept(tmp_path: Path) -> None:
    class Stopped(Watched):
        def encode(self, clips: Image) -> Vectors:
            if len(self.calls) == 5:
                raise KeyboardInterrupt
            return super().encode(clips)

    requests = asked({f"r{k}": Counted(12, k) for k in range(3)})
    with pytest.raises(KeyboardInterrupt):
        embedder(tmp_path, Stopped()).embed(requests)
    service = embedder(tmp_path)
    assert equal(service.embed(requests), plainly(FakeEncoder(4, FRAMES), requests))
    assert service.reused >= 20


def test_a_long_recording_is_saved_in_parts_and_then_put_in_order(tmp_path: Path) -> None:
    requests = asked({"a": Counted(40)})
    service = embedder(tmp_path, Watched(), save_seconds=0.0)
    found = service.embed(requests)
    assert len(list(tmp_path.rglob("part-*.npz"))) == 1
    assert equal(embedder(tmp_path).embed(requests), found)


def test_unknown_cameras_and_impossible_frames_are_refused(tmp_path: Path) -> None:
    source = ArrayFrames(np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(ContractError, match="indices_NF"):
        ClipRequest("a", "high", source, None, "prefix", np.full((1, FRAMES), 4))
    short = ClipRequest("a", "high", source, None, "prefix", np.zeros((1, 3), np.int64))
    with pytest.raises(ContractError, match="8 frames per clip"):
        embedder(tmp_path).embed([short])
    with pytest.raises(ConfigError, match="Did you mean 'high'"):
        embedder(tmp_path).embed([ClipRequest("a", "hihg", source, None, "p", prefixes(4))])
    assert embedder(tmp_path).embed([]) == []
