"""Behler's atom-centred symmetry functions."""

from jaxpot.descriptors.symmetry_functions.cutoffs import CUTOFF_FUNCTIONS, cutoff_function
from jaxpot.descriptors.symmetry_functions.evaluation import Evaluator, evaluator
from jaxpot.descriptors.symmetry_functions.functions import SymmetryFunction, angular, in_order, radial

__all__ = [
    "CUTOFF_FUNCTIONS",
    "Evaluator",
    "SymmetryFunction",
    "angular",
    "cutoff_function",
    "evaluator",
    "in_order",
    "radial",
]
