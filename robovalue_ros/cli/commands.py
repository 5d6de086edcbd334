"""The table of commands: name, what it does, where it lives and what it can be told."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple


class Command(NamedTuple):
    """target, config: "module:name", imported only when they are asked for.

    target: the function that runs the command. config: the dataclass of its options, in a module
    that needs no library beyond numpy, scipy, PyYAML and ROS: launch files read it in a Python that
    may have no others.
    """

    summary: str
    target: str
    config: str


_CLI = "robovalue_ros.cli"
_TOOLS = "robovalue_ros.contracts.tools"
_PIPELINES = "robovalue_ros.pipelines"

COMMANDS: dict[str, Command] = {
    "doctor": Command(
        "check this machine, or a data set, and say what to do",
        f"{_CLI}.doctor:run",
        f"{_TOOLS}:DoctorConfig",
    ),
    "data inspect": Command(
        "tell what a file or folder holds", f"{_CLI}.data_inspect:run", f"{_TOOLS}:InspectConfig"
    ),
    "data convert": Command(
        "copy episodes into another format", f"{_CLI}.data_convert:run", f"{_TOOLS}:ConvertConfig"
    ),
    "data compare": Command(
        "tell whether two data sets are the same",
        f"{_CLI}.data_compare:run",
        f"{_TOOLS}:CompareConfig",
    ),
    "sim record": Command(
        "record episodes in the embedded simulator",
        f"{_CLI}.sim_record:run",
        "robovalue_ros.contracts.simulate:RecordConfig",
    ),
    "value fit": Command(
        "learn a value model from demonstrations",
        f"{_CLI}.value_fit:run",
        f"{_PIPELINES}.fit:FitConfig",
    ),
    "value estimate": Command(
        "score recorded episodes against demonstrations",
        f"{_CLI}.value_estimate:run",
        f"{_PIPELINES}.estimate.config:EstimateConfig",
    ),
    "value view": Command(
        "look at one scored episode beside its value curve",
        f"{_CLI}.value_view:run",
        f"{_PIPELINES}.view_config:ViewConfig",
    ),
    "value check-clusters": Command(
        "tell how references clustered and which eps suits",
        f"{_CLI}.value_check_clusters:run",
        f"{_PIPELINES}.diagnose.config:ClustersConfig",
    ),
    "value evaluate": Command(
        "tell how good the values of a run are, beside controls",
        f"{_CLI}.value_evaluate:run",
        f"{_PIPELINES}.evaluation.config:EvaluateConfig",
    ),
    "value export": Command(
        "hand values on: LeRobot side cars, weights, advantages, Rerun",
        f"{_CLI}.value_export:run",
        f"{_PIPELINES}.value_export_config:ExportConfig",
    ),
    "value report": Command(
        "make one HTML page of scored episodes, values in step",
        f"{_CLI}.value_report:run",
        f"{_PIPELINES}.value_report_config:ValueReportConfig",
    ),
    "value check-diffusion": Command(
        "judge the denoisers of the diffusion score",
        f"{_CLI}.value_check_diffusion:run",
        f"{_PIPELINES}.diagnose.config:DiffusionConfig",
    ),
    "value centers-2d": Command(
        "draw segment centres and rollouts in a plane",
        f"{_CLI}.value_centers_2d:run",
        f"{_PIPELINES}.diagnose.config:CentersConfig",
    ),
    "bag info": Command(
        "tell what bags hold and what scoring uses",
        f"{_CLI}.bag_info:run",
        f"{_PIPELINES}.bag.config:BagInfoConfig",
    ),
    "bag score": Command(
        "score bags, and write them with value topics added",
        f"{_CLI}.bag_score:run",
        f"{_PIPELINES}.bag.config:BagScoreConfig",
    ),
    "bag play": Command(
        "publish a bag through ROS 2",
        f"{_CLI}.bag_play:run",
        "robovalue_ros.nodes.player:BagPlayConfig",
    ),
    "segment stream": Command(
        "cut a camera, videos, data sets or bags into actions, live or faster",
        f"{_CLI}.segment_stream:run",
        f"{_PIPELINES}.segment.stream_config:SegmentStreamConfig",
    ),
    "segment preprocess": Command(
        "follow the points of videos, data sets or bags into HDF5 files",
        f"{_CLI}.segment_preprocess:run",
        f"{_PIPELINES}.segment.preprocess_config:PreprocessConfig",
    ),
    "segment split": Command(
        "cut long videos into pieces",
        f"{_CLI}.segment_split:run",
        f"{_PIPELINES}.segment.videos_config:SplitConfig",
    ),
    "segment check": Command(
        "tell which videos and track files are damaged",
        f"{_CLI}.segment_check:run_check",
        f"{_PIPELINES}.segment.videos_config:CheckConfig",
    ),
    "segment clean": Command(
        "remove damaged videos and track files, or move them away",
        f"{_CLI}.segment_check:run_clean",
        f"{_PIPELINES}.segment.videos_config:CleanConfig",
    ),
    "segment train-tokenizer": Command(
        "learn a code book of motions from followed points",
        f"{_CLI}.segment_train_tokenizer:run",
        f"{_PIPELINES}.segment.train_tokenizer_config:TrainTokenizerConfig",
    ),
    "segment sweep": Command(
        "find the energy from which a window counts as motion",
        f"{_CLI}.segment_sweep:run",
        f"{_PIPELINES}.segment.sweep_config:SweepConfig",
    ),
    "segment evaluate": Command(
        "compare found segments with marked ones",
        f"{_CLI}.segment_evaluate:run",
        f"{_PIPELINES}.segment.evaluate_config:SegmentEvaluateConfig",
    ),
    "segment export-labels": Command(
        "hand segments on as labels of substeps, for LeRobot too",
        f"{_CLI}.segment_labels:run",
        f"{_PIPELINES}.segment.labels_config:LabelsConfig",
    ),
    "codes train": Command(
        "learn vectors of code sequences: a network that guesses the next code",
        f"{_CLI}.codes_train:run",
        f"{_PIPELINES}.codes.config:CodesTrainConfig",
    ),
    "codes embed": Command(
        "turn code sequences into vectors, and tell known clusters",
        f"{_CLI}.codes_embed:run",
        f"{_PIPELINES}.codes.config:CodesEmbedConfig",
    ),
    "codes evaluate": Command(
        "tell how well clusters of codes fit known classes",
        f"{_CLI}.codes_evaluate:run",
        f"{_PIPELINES}.codes.config:CodesEvaluateConfig",
    ),
    "codes cluster": Command(
        "cluster segments, draw them, show the typical clips",
        f"{_CLI}.codes_cluster:run",
        f"{_PIPELINES}.codes.config:CodesClusterConfig",
    ),
    "plan build": Command(
        "fix which rows training sees, how often and in which stage",
        f"{_CLI}.plan_build:run",
        f"{_PIPELINES}.plans.config:PlanBuildConfig",
    ),
    "plan verify": Command(
        "check that a plan is whole, and of these data",
        f"{_CLI}.plan_verify:run",
        f"{_PIPELINES}.plans.config:PlanVerifyConfig",
    ),
    "plan inspect": Command(
        "look at a plan: stages, weights, events, what training sees",
        f"{_CLI}.plan_inspect:run",
        f"{_PIPELINES}.plans.config:PlanInspectConfig",
    ),
    "plan compare": Command(
        "tell what two plans share",
        f"{_CLI}.plan_inspect:run_compare",
        f"{_PIPELINES}.plans.config:PlanCompareConfig",
    ),
    "plan episodes": Command(
        "tell whether a data set has what plans need",
        f"{_CLI}.plan_episodes:run",
        f"{_PIPELINES}.plans.config:PlanEpisodesConfig",
    ),
    "plan horizon": Command(
        "show what action windows hold at the end of an episode",
        f"{_CLI}.plan_episodes:run_horizon",
        f"{_PIPELINES}.plans.config:PlanHorizonConfig",
    ),
    "plan norm-stats": Command(
        "compute what states and actions are normalised with",
        f"{_CLI}.plan_norm_stats:run",
        f"{_PIPELINES}.plans.config:NormStatsConfig",
    ),
    "report": Command(
        "make one HTML page of episodes to look at", f"{_CLI}.report:run", f"{_TOOLS}:ReportConfig"
    ),
}


def config_of(name: str) -> type:
    """Return the dataclass of a command's options."""
    module, kind = COMMANDS[name].config.split(":")
    found: type = getattr(import_module(module), kind)
    return found
