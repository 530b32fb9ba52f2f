"""Fitting: data sets, and linear least squares for every potential that is linear in its coefficients."""

from jaxpot.fit.dataset import Dataset, Frame, read_dataset
from jaxpot.fit.dataset_checks import Finding
from jaxpot.fit.dataset_statistics import GroupStatistics, Statistics
from jaxpot.fit.gradient import (
    TrainingData,
    TrainingError,
    TrainResult,
    TrainSettings,
    open_data,
    prepare_data,
    train,
)

__all__ = [
    "Dataset",
    "Finding",
    "Frame",
    "GroupStatistics",
    "Statistics",
    "TrainResult",
    "TrainSettings",
    "TrainingData",
    "TrainingError",
    "open_data",
    "prepare_data",
    "read_dataset",
    "train",
]
