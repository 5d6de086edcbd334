"""One run of `robovalue value estimate`, from folders of episodes to files of values."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robovalue_ros.backends.encoders.choice import EncoderChoice
from robovalue_ros.contracts.config import to_mapping
from robovalue_ros.contracts.errors import ConfigError, DataError
from robovalue_ros.contracts.ports import FrameEncoder
from robovalue_ros.contracts.progress import Progress, SilentProgress
from robovalue_ros.contracts.types import Finding
from robovalue_ros.data.atomic import write_json
from robovalue_ros.data.embedding_cache.legacy_names import SAMPLING_POLICY, LegacyEncoder
from robovalue_ros.data.embedding_cache.store import EmbeddingStore
from robovalue_ros.data.value_store.causal import CAUSAL_FOLDER
from robovalue_ros.data.value_store.ids import References
from robovalue_ros.data.value_store.metadata import METADATA_FILE
from robovalue_ros.data.value_store.naming import VALUES_FOLDER
from robovalue_ros.data.value_store.reports import write_report
from robovalue_ros.data.value_store.rows import ROWS_FILE
from robovalue_ros.pipelines.estimate.causal import STAGE, CausalTarget, run_causal
from robovalue_ros.pipelines.estimate.config import EstimateConfig
from robovalue_ros.pipelines.estimate.context import RunContext
from robovalue_ros.pipelines.estimate.embedded import SeriesEmbedder
from robovalue_ros.pipelines.estimate.encoders import (
    EncoderMaker,
    encoder_source,
    run_choice,
    stream_maker,
)
from robovalue_ros.pipelines.estimate.journal import Journal
from robovalue_ros.pipelines.estimate.known import EncoderFacts, RunEncoders
from robovalue_ros.pipelines.estimate.method_run import MethodRun
from robovalue_ros.pipelines.estimate.outputs import RUN_FILE, clear, result_names, sweep
from robovalue_ros.pipelines.estimate.page import write_page
from robovalue_ros.pipelines.estimate.prepare import Prepared, reading
from robovalue_ros.pipelines.estimate.progress_run import ProgressRun
from robovalue_ros.pipelines.estimate.references import ReferenceSet, choose_references, ready
from robovalue_ros.pipelines.estimate.score import Scoring
from robovalue_ros.pipelines.estimate.segment_run import SegmentRun
from robovalue_ros.pipelines.estimate.sources import intervention_folder, list_recordings
from robovalue_ros.pipelines.estimate.value_model import needs_value_model, value_model
from robovalue_ros.pipelines.recordings import Opener, Readers, Recording
from robovalue_ros.value.config import ProgressConfig, SegmentConfig
from robovalue_ros.value.identity import config_id
from robovalue_ros.value.stream.model import ValueModel

if TYPE_CHECKING:  # the network's libraries load when something has to be embedded
    from robovalue_ros.pipelines.embedding.service import Embedder

DEFAULT_PROGRESS = SilentProgress()
NO_REFERENCES = ReferenceSet((), References(()), ())


@dataclass(frozen=True)
class EstimateResult:
    """What a run did.

    counts, causal: recordings by status, of the value method and of causal curves. embedded: clips
    computed and reused. page: the report, where there is one.
    """

    out: Path
    counts: Counter[str]
    causal: Counter[str]
    findings: tuple[Finding, ...]
    references: int
    embedded: tuple[int, int]
    page: Path | None


def estimate(
    config: EstimateConfig,
    opener: Opener,
    make_encoders: EncoderMaker,
    *,
    progress: Progress = DEFAULT_PROGRESS,
) -> EstimateResult:
    """Score every recording that the options name and write all files; resumes by itself.

    A recording that cannot be used is entered in the journal and passed over. Raises ConfigError,
    DataError when nothing can be done at all.
    """
    config.method()  # impossible options end the run before it touches anything
    if not (config.hindsight or config.causal):
        raise ConfigError(
            "nothing is to be written", "--hindsight, --causal or both", "Leave out --no-hindsight."
        )
    readers = Readers(opener)
    try:
        if config.overwrite:
            clear(config.out_cache_dir)
        with Journal(config.out_cache_dir, progress) as journal:
            sweep(config.out_cache_dir)
            run = _Run(config, readers, make_encoders, journal, progress)
            run.work()
            journal.find(*readers.findings())
            page = write_page(config, readers, progress) if config.report else None
            return EstimateResult(
                config.out_cache_dir, journal.counts(run.stage), journal.counts(STAGE),
                journal.findings, len(run.references.usable), run.embedded, page,
            )  # fmt: skip
    except OSError as problem:
        # Readers and stores turn their own into DataError; what is left is a full or closed disk.
        place = problem.filename or config.out_cache_dir
        raise DataError(
            place, problem.strerror or str(problem), "a folder that can be written",
            "What was finished is kept. Give the same command again.",
        ) from problem  # fmt: skip
    finally:
        readers.close()


class _Run:
    def __init__(
        self,
        config: EstimateConfig,
        readers: Readers,
        make_encoders: EncoderMaker,
        journal: Journal,
        progress: Progress,
    ) -> None:
        self._config, self._readers, self._make_encoders = config, readers, make_encoders
        self._journal, self._progress = journal, progress
        self.embedded = (0, 0)
        self.stage = ProgressRun.stage
        if isinstance(config.method(), SegmentConfig):
            self.stage = SegmentRun.stage
        lists = list_recordings(config, readers)
        journal.find(*lists.findings)
        self.references = NO_REFERENCES
        if config.hindsight or config.model is None:
            self.references = choose_references(lists, readers, config, journal, progress)
        from_rollouts = config.success_mode == "rollouts_shortest_p"
        self._recordings = lists.to_score(config, self.references.chosen if from_rollouts else ())
        self._names = result_names(config.out_cache_dir, self._recordings)

    def work(self) -> None:
        config = self._config
        model_file, model = None, None
        if needs_value_model(config):
            model_file, model = value_model(
                config, self.references, self._readers, self._journal, self._progress
            )
        if config.hindsight:
            self._hindsight(model_file, model)
        if model_file is not None and model is not None and config.causal:
            self._causal(model_file, model)

    def _hindsight(self, model_file: Path | None, model: ValueModel | None) -> None:
        config, progress = self._config, self._progress
        names = self.references.usable[0].names
        choice = run_choice(config, model_file, model)
        made = self._encoders(choice, names, model)
        encoders = made.facts

        def embedder() -> Embedder:
            from robovalue_ros.pipelines.embedding.service import Embedder

            store = EmbeddingStore(config.embedding_root)
            source = encoder_source(config, choice, names, model_file)
            return Embedder(made.built(), store, config.embedding, progress, source)

        embedding = SeriesEmbedder(encoders, embedder, config, self._journal)
        self._write_run_file(encoders)
        with progress.stage("reading episodes", len(self._recordings)) as tick:
            scored: list[Prepared] = []
            for recording in self._recordings:
                found = ready(recording, self._readers, config, self._journal, self.stage)
                if found is not None:
                    scored.append(found)
                tick(1)
        files = self._files(VALUES_FOLDER)
        scoring = Scoring(
            config, lambda chosen: _method_run(self._context(encoders, chosen)), self.references,
            embedding, self._journal, progress,
            {item.key: files[item.recording] for item in scored},
        )  # fmt: skip
        try:
            with progress.stage("episodes", len(scored)) as tick:
                scoring.run(scored, tick)
        finally:
            embedding.close()
        self.embedded = embedding.counts
        self.references = scoring.references
        facts = self._facts(self._context(encoders, self.references), encoders, len(scored))
        told = scoring.method.metadata(scoring.model, facts)
        write_report(config.out_cache_dir / METADATA_FILE, told)

    def _causal(self, model_file: Path, model: ValueModel) -> None:
        config = self._config
        make_stream, shared = stream_maker(config, model_file, model, self._make_encoders)
        files = self._files(CAUSAL_FOLDER)
        targets = [CausalTarget(recording, files[recording]) for recording in self._recordings]
        with self._progress.stage("causal curves", len(targets)) as tick:
            run_causal(
                targets, self._readers, make_stream, self._journal, tick,
                reading=str(sorted(reading(config).items())),
                workers=config.embedding.threads if shared else 1,
            )  # fmt: skip

    def _files(self, folder: str) -> dict[Recording, Path]:
        root = self._config.out_cache_dir / folder
        names = zip(self._recordings, self._names, strict=True)
        return {recording: root / name for recording, name in names}

    def _encoders(
        self, choice: EncoderChoice, names: Mapping[str, str], model: ValueModel | None
    ) -> RunEncoders:
        """Return the encoder of each role, for the cameras that the demonstrations have."""
        pixels = choice.encoder == "pixels" and model is not None

        def build() -> dict[str, FrameEncoder]:
            network = model.network if model is not None and pixels else None
            made = self._make_encoders(choice, tuple(names.values()), network)
            return {role: made[name] for role, name in names.items()}

        # An encoder with weights looks at every camera alike; the model's looks at each its way.
        extra = dict(names) | {"model": model.id} if model is not None and pixels else {}
        roles = {"roles": ",".join(names)}
        return RunEncoders(self._config.embedding_root, choice, extra | roles, build)

    def _context(
        self, encoders: Mapping[str, EncoderFacts], references: ReferenceSet
    ) -> RunContext:
        config = self._config
        return RunContext(
            config, references.told, config_id(embed_cfg(config, encoders)),
            _clip_frames(encoders), _training_device(config), _now(), self._journal,
        )  # fmt: skip

    def _write_run_file(self, encoders: Mapping[str, EncoderFacts]) -> None:
        """Keep what later tools need to find the embeddings of this run."""
        told = {
            role: {"id": item.encoder_id, "dim": item.dim, "clip_frames": item.clip_frames}
            for role, item in encoders.items()
        }
        content = {"config": to_mapping(self._config), "encoders": told}
        write_json(self._config.out_cache_dir / RUN_FILE, content)

    def _facts(
        self, context: RunContext, encoders: Mapping[str, EncoderFacts], scored: int
    ) -> dict[str, Any]:
        config, counts = self._config, self._journal.counts(self.stage)
        root = config.embedding_root
        return {
            "created_at": context.created_at, "out_cache_dir": str(config.out_cache_dir),
            "teleop_hdf5_dir": _text(config.teleop_hdf5_dir),
            "rollouts_hdf5_dir": _text(config.rollouts_hdf5_dir),
            "dataset_hdf5_dir": _text(config.dataset_hdf5_dir),
            "intervention_hdf5_dir": _text(intervention_folder(config)),
            "success_mode": config.success_mode, "shortest_p": config.shortest_p,
            "score_sources": config.score_sources, "epsilon": config.epsilon,
            "trim_signal": config.trim_signal, "max_episode_len": config.max_episode_len,
            "vjepa_ckpt": _text(config.vjepa_ckpt), "vjepa_img_size": _side(config, encoders),
            "vjepa_num_frames": context.clip_frames, "device": config.device,
            "enable_fp16": config.enable_fp16, "embed_batch_size": config.embed_batch_size,
            "embed_cache_root": str(root), "embed_cache_dir": str(EmbeddingStore(root).root),
            "embed_cache_cfg_id": context.embed_cfg_id,
            "embed_cache_cfg": embed_cfg(config, encoders),
            "hdf5_to_vjepa_value_map": str(config.out_cache_dir / ROWS_FILE),
            "num_scoring_episodes": scored,
            "num_success_ref_episodes": len(self.references.usable), "written": counts["written"],
            "reused": counts["reused"], "skipped": counts["skipped"], "errors": counts["error"],
        }  # fmt: skip


def embed_cfg(config: EstimateConfig, encoders: Mapping[str, EncoderFacts]) -> dict[str, Any]:
    """Return what the id of embeddings is made of; today's, where stored results are to match."""
    if config.compatible and config.encoder_name == "vjepa2" and config.vjepa_ckpt is not None:
        frames = _clip_frames(encoders)
        old = LegacyEncoder(config.vjepa_ckpt, config.vjepa_img_size or 384, frames, config.epsilon)
        return dict(old.config())
    return {
        "encoders": {role: encoder.encoder_id for role, encoder in encoders.items()},
        "epsilon": float(config.epsilon), "frame_sampling_policy": SAMPLING_POLICY,
    }  # fmt: skip


def read_run_file(out: Path) -> dict[str, Any]:
    """Return what a run kept about itself: its configuration and its encoders."""
    content: dict[str, Any] = json.loads((out / RUN_FILE).read_bytes())
    return content


def _method_run(context: RunContext) -> MethodRun[Any, Any]:
    options = context.config.method()
    if isinstance(options, ProgressConfig):
        return ProgressRun(context, options)
    return SegmentRun(context, options)


def _clip_frames(encoders: Mapping[str, EncoderFacts]) -> int:
    return next(iter(encoders.values())).clip_frames


def _training_device(config: EstimateConfig) -> str:
    if config.value_method != "segment_match50" or config.segment_match_score != "diffusion":
        return "cpu"
    from robovalue_ros.backends.encoders.devices import resolve_devices

    return str(resolve_devices(config.encoder_choice().run.devices)[0])


def _side(config: EstimateConfig, encoders: Mapping[str, EncoderFacts]) -> int | None:
    """Return the side of the encoder's input, where it tells."""
    return config.vjepa_img_size or next(iter(encoders.values())).side


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
