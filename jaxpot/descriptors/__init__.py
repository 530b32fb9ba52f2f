"""Descriptors of atomic environments."""

from jaxpot.descriptors.bispectrum import Bispectrum
from jaxpot.descriptors.descriptor import Descriptor, FunctionDescriptor, SelectedDescriptor, descriptor
from jaxpot.descriptors.environment import Environment

__all__ = [
    "Bispectrum",
    "Descriptor",
    "Environment",
    "FunctionDescriptor",
    "SelectedDescriptor",
    "descriptor",
]
