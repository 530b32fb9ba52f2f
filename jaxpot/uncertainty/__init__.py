"""Uncertainty of predictions: the spread of ensembles, and its calibration against errors."""

from jaxpot.uncertainty.assess import Assessment, assess
from jaxpot.uncertainty.calibration import (
    Reliability,
    Rescaling,
    miscalibration_area,
    reliability,
    rescaling,
    sharpness,
)
from jaxpot.uncertainty.ensemble import Spread, largest_force_spread, with_spread

__all__ = [
    "Assessment",
    "Reliability",
    "Rescaling",
    "Spread",
    "assess",
    "largest_force_spread",
    "miscalibration_area",
    "reliability",
    "rescaling",
    "sharpness",
    "with_spread",
]
