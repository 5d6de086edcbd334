"""What a run has to know of its encoders before it needs them, remembered between runs.

Importing a network's libraries and hashing its weights takes longer than finding that everything is
there already. So what was learned of an encoder lies in `encoders.json` beside the embeddings,
under a key of all that decides it. An encoder that turns out another when it is built is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from robovalue_ros import __version__, backends
from robovalue_ros.backends.encoders.choice import EncoderChoice
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import DataError
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.value_store.reports import read_report

KNOWN_FILE = "encoders.json"
PACKAGES = ("torch", "transformers", "open_clip_torch", "numpy", "opencv-python-headless")
Encoders = Mapping[str, FrameEncoder]


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """encoder_id, dim, clip_frames: as the encoder says. side: of its input, where it tells."""

    encoder_id: str
    dim: int
    clip_frames: int
    side: int | None


class RunEncoders:
    """The encoders of a run by role, built when they are first needed.

    facts: by role, known without building where an earlier run left them. Raises what `build`
    raises.
    """

    def __init__(
        self,
        root: Path,
        choice: EncoderChoice,
        extra: Mapping[str, str],
        build: Callable[[], Encoders],
    ) -> None:
        self._file, self._build = root / KNOWN_FILE, build
        self._key = _key(choice, extra)
        self._built: Encoders | None = None
        known = self._known()
        if known is None:
            self._built = build()
            self._remember()
            known = _facts_of(self._built)
        self.facts: Mapping[str, EncoderFacts] = known

    def built(self) -> Encoders:
        """Return the encoders; DataError when they are not those that the run began with."""
        if self._built is None:
            self._built = self._build()
            if self.facts != _facts_of(self._built):
                self._remember()
                raise DataError(
                    self._file, "the encoder is not the one that was remembered",
                    "the same devices and software throughout", "Give the same command again.",
                )  # fmt: skip
        return self._built

    def _known(self) -> dict[str, EncoderFacts] | None:
        held = _read(self._file).get(self._key)
        if not isinstance(held, dict) or not held:
            return None
        try:
            facts = {str(role): EncoderFacts(**told) for role, told in held.items()}
        except TypeError:
            return None
        return facts if all(_sound(item) for item in facts.values()) else None

    def _remember(self) -> None:
        assert self._built is not None
        told = {role: asdict(item) for role, item in _facts_of(self._built).items()}
        write_json(self._file, _read(self._file) | {self._key: told})


def _facts_of(encoders: Encoders) -> dict[str, EncoderFacts]:
    return {
        role: EncoderFacts(
            item.encoder_id, item.dim, item.clip_frames,
            getattr(getattr(item, "crop", None), "height", None),
        )
        for role, item in encoders.items()
    }  # fmt: skip


def _sound(facts: EncoderFacts) -> bool:
    numbers = (facts.dim, facts.clip_frames)
    side = facts.side is None or type(facts.side) is int
    return isinstance(facts.encoder_id, str) and side and all(
        type(number) is int and number > 0 for number in numbers
    )  # fmt: skip


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_report(file) if file.is_file() else {}
    except DataError:
        return {}  # it is written anew


def _key(choice: EncoderChoice, extra: Mapping[str, str]) -> str:
    """Return a digest of all that decides an encoder, as far as can be told without building it.

    extra: what else decides it, such as the model that holds its weights.
    """
    told = {
        "choice": to_mapping(choice), "extra": dict(extra), "weights": _files(choice.weights),
        "software": __version__, "code": _files(Path(backends.__path__[0]) / "encoders", ".py"),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": [platform.system(), platform.machine()],
        "devices": sorted(path.name for path in Path("/dev").glob("nvidia*")),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _files(path: Path | None, suffix: str = "") -> list[tuple[str, int, int]]:
    if path is None or not path.exists():
        return []
    files = [path] if path.is_file() else sorted(path.rglob(f"*{suffix}"))
    seen = [(file, file.stat()) for file in files if file.is_file()]
    return [(str(file.resolve()), status.st_size, status.st_mtime_ns) for file, status in seen]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
