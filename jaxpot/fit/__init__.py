"""Fitting: data sets, linear least squares for potentials that are linear in coefficients, training for all others."""

from jaxpot.fit import linear
from jaxpot.fit.dataset import Dataset
from jaxpot.fit.dataset_checks import Finding
from jaxpot.fit.dataset_reading import read_dataset
from jaxpot.fit.dataset_statistics import GroupStatistics, Statistics
from jaxpot.fit.errors import Errors, GroupErrors, errors
from jaxpot.fit.frame import Frame
from jaxpot.fit.gradient import (
    TrainingData,
    TrainingError,
    TrainResult,
    TrainSettings,
    open_data,
    prepare_data,
    train,
)
from jaxpot.fit.linear import LinearFit, Weights, fit_linear
from jaxpot.fit.start import atom_energies, can_decorrelate, decorrelation, network_start
from jaxpot.fit.values import select_values, values_by_element, varying_values
from jaxpot.heads import scaling_of

__all__ = [
    "Dataset",
    "Errors",
    "Finding",
    "Frame",
    "GroupErrors",
    "GroupStatistics",
    "LinearFit",
    "Statistics",
    "TrainResult",
    "TrainSettings",
    "TrainingData",
    "TrainingError",
    "Weights",
    "atom_energies",
    "can_decorrelate",
    "decorrelation",
    "errors",
    "fit_linear",
    "linear",
    "network_start",
    "open_data",
    "prepare_data",
    "read_dataset",
    "scaling_of",
    "select_values",
    "train",
    "values_by_element",
    "varying_values",
]
