"""Behler's atom-centered symmetry functions."""

from jaxpot.descriptors.symmetry_functions.cutoffs import CUTOFF_FUNCTIONS, compact_function, cutoff_function
from jaxpot.descriptors.symmetry_functions.descriptor import SymmetryFunctions, symmetry_functions
from jaxpot.descriptors.symmetry_functions.evaluation import Evaluator, evaluator
from jaxpot.descriptors.symmetry_functions.functions import SymmetryFunction, angular, in_order, radial
from jaxpot.descriptors.symmetry_functions.sets import grid_set, standard_set

__all__ = [
    "CUTOFF_FUNCTIONS",
    "Evaluator",
    "SymmetryFunction",
    "SymmetryFunctions",
    "angular",
    "compact_function",
    "cutoff_function",
    "evaluator",
    "grid_set",
    "in_order",
    "radial",
    "standard_set",
    "symmetry_functions",
]
