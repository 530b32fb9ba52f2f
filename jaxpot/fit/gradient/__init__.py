"""Training by gradients, for any potential."""

from jaxpot.fit.gradient.data import TrainingData, open_data, prepare_data
from jaxpot.fit.gradient.result import TrainingError, TrainResult
from jaxpot.fit.gradient.settings import TrainSettings
from jaxpot.fit.gradient.training import train

__all__ = ["TrainResult", "TrainSettings", "TrainingData", "TrainingError", "open_data", "prepare_data", "train"]
