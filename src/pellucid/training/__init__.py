"""Training: the Trainer, its settings, metrics, baselines and run folders."""

from typing import TYPE_CHECKING

from pellucid.base.faces import lazy_face

if TYPE_CHECKING:
    from pellucid.training import baselines as baselines
    from pellucid.training import config as config
    from pellucid.training import history as history
    from pellucid.training import job as job
    from pellucid.training import metrics as metrics
    from pellucid.training import network as network
    from pellucid.training import observe as observe
    from pellucid.training import run_folder as run_folder
    from pellucid.training import search as search
    from pellucid.training import streaming as streaming
    from pellucid.training import summary as summary
    from pellucid.training import trainer as trainer
    from pellucid.training import verdict as verdict
    from pellucid.training.baselines import Baseline as Baseline
    from pellucid.training.baselines import Baselines as Baselines
    from pellucid.training.callbacks import Callback as Callback
    from pellucid.training.callbacks import CSVLogger as CSVLogger
    from pellucid.training.callbacks import EarlyStopping as EarlyStopping
    from pellucid.training.callbacks import JSONLogger as JSONLogger
    from pellucid.training.callbacks import LambdaCallback as LambdaCallback
    from pellucid.training.callbacks import TensorBoardLogger as TensorBoardLogger
    from pellucid.training.checkpoints import Checkpoints as Checkpoints
    from pellucid.training.config import TrainingConfig as TrainingConfig
    from pellucid.training.ensembles import train_networks as train_networks
    from pellucid.training.history import EpochRecord as EpochRecord
    from pellucid.training.history import Event as Event
    from pellucid.training.history import History as History
    from pellucid.training.history import StopTraining as StopTraining
    from pellucid.training.job import RunResult as RunResult
    from pellucid.training.job import train_network as train_network
    from pellucid.training.metrics import Metrics as Metrics
    from pellucid.training.metrics import roc_auc as roc_auc
    from pellucid.training.run_folder import load_run as load_run
    from pellucid.training.run_state import RunState as RunState
    from pellucid.training.saved_model import SavedModel as SavedModel
    from pellucid.training.search import Choice as Choice
    from pellucid.training.search import LogUniform as LogUniform
    from pellucid.training.search import SearchResult as SearchResult
    from pellucid.training.search import Trial as Trial
    from pellucid.training.search import Uniform as Uniform
    from pellucid.training.search import grid_search as grid_search
    from pellucid.training.summary import LayerSummary as LayerSummary
    from pellucid.training.summary import Summary as Summary
    from pellucid.training.trainer import Trainer as Trainer
    from pellucid.training.trials import DryRun as DryRun
    from pellucid.training.trials import LearningRates as LearningRates
    from pellucid.training.trials import OneBatch as OneBatch
    from pellucid.training.verdict import Comparison as Comparison
    from pellucid.training.verdict import compare as compare
    from pellucid.training.weighting import focal_loss as focal_loss
    from pellucid.training.weighting import pinball_loss as pinball_loss

__all__ = [
    "Baseline",
    "Baselines",
    "CSVLogger",
    "Callback",
    "Checkpoints",
    "Choice",
    "Comparison",
    "DryRun",
    "EarlyStopping",
    "EpochRecord",
    "Event",
    "History",
    "JSONLogger",
    "LambdaCallback",
    "LayerSummary",
    "LearningRates",
    "LogUniform",
    "Metrics",
    "OneBatch",
    "RunResult",
    "RunState",
    "SavedModel",
    "SearchResult",
    "StopTraining",
    "Summary",
    "TensorBoardLogger",
    "Trainer",
    "TrainingConfig",
    "Trial",
    "Uniform",
    "baselines",
    "compare",
    "config",
    "focal_loss",
    "grid_search",
    "history",
    "job",
    "load_run",
    "metrics",
    "network",
    "observe",
    "pinball_loss",
    "roc_auc",
    "run_folder",
    "search",
    "streaming",
    "summary",
    "train_network",
    "train_networks",
    "trainer",
    "verdict",
]

_PLACES = {
    "Baseline": "pellucid.training.baselines",
    "Baselines": "pellucid.training.baselines",
    "CSVLogger": "pellucid.training.callbacks",
    "Callback": "pellucid.training.callbacks",
    "Checkpoints": "pellucid.training.checkpoints",
    "Choice": "pellucid.training.search",
    "Comparison": "pellucid.training.verdict",
    "DryRun": "pellucid.training.trials",
    "EarlyStopping": "pellucid.training.callbacks",
    "EpochRecord": "pellucid.training.history",
    "Event": "pellucid.training.history",
    "History": "pellucid.training.history",
    "JSONLogger": "pellucid.training.callbacks",
    "LambdaCallback": "pellucid.training.callbacks",
    "LayerSummary": "pellucid.training.summary",
    "LearningRates": "pellucid.training.trials",
    "LogUniform": "pellucid.training.search",
    "Metrics": "pellucid.training.metrics",
    "OneBatch": "pellucid.training.trials",
    "RunResult": "pellucid.training.job",
    "RunState": "pellucid.training.run_state",
    "SavedModel": "pellucid.training.saved_model",
    "SearchResult": "pellucid.training.search",
    "StopTraining": "pellucid.training.history",
    "Summary": "pellucid.training.summary",
    "TensorBoardLogger": "pellucid.training.callbacks",
    "Trainer": "pellucid.training.trainer",
    "TrainingConfig": "pellucid.training.config",
    "Trial": "pellucid.training.search",
    "Uniform": "pellucid.training.search",
    "baselines": "pellucid.training.baselines",
    "compare": "pellucid.training.verdict",
    "config": "pellucid.training.config",
    "focal_loss": "pellucid.training.weighting",
    "grid_search": "pellucid.training.search",
    "history": "pellucid.training.history",
    "job": "pellucid.training.job",
    "load_run": "pellucid.training.run_folder",
    "metrics": "pellucid.training.metrics",
    "network": "pellucid.training.network",
    "observe": "pellucid.training.observe",
    "pinball_loss": "pellucid.training.weighting",
    "roc_auc": "pellucid.training.metrics",
    "run_folder": "pellucid.training.run_folder",
    "search": "pellucid.training.search",
    "streaming": "pellucid.training.streaming",
    "summary": "pellucid.training.summary",
    "train_network": "pellucid.training.job",
    "train_networks": "pellucid.training.ensembles",
    "trainer": "pellucid.training.trainer",
    "verdict": "pellucid.training.verdict",
}
"""Public name → the module that defines it; it is loaded when the name is first used."""

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_face(__name__, _PLACES)
