"""High-dimensional neural network potentials of Behler and Parrinello."""

from jaxpot.potentials.hdnnp.factory import hdnnp, symmetry_function_values, symmetry_functions_and_networks
from jaxpot.potentials.hdnnp.params import check_params
from jaxpot.potentials.hdnnp.settings import ACTIVATIONS, HDNNPSettings

__all__ = [
    "ACTIVATIONS",
    "HDNNPSettings",
    "check_params",
    "hdnnp",
    "symmetry_function_values",
    "symmetry_functions_and_networks",
]
