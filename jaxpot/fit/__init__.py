"""Fitting: data sets, and linear least squares for every potential that is linear in its coefficients."""

from jaxpot.fit.dataset import Dataset, Frame, read_dataset
from jaxpot.fit.dataset_checks import Finding
from jaxpot.fit.dataset_statistics import GroupStatistics, Statistics

__all__ = ["Dataset", "Finding", "Frame", "GroupStatistics", "Statistics", "read_dataset"]
