"""Heads, which turn the values of a descriptor into the energy of an atom."""

from jaxpot.heads.by_element import ElementHead
from jaxpot.heads.flax_modules import FlaxHead
from jaxpot.heads.head import Head
from jaxpot.heads.linear import DesignHead, LinearHead
from jaxpot.heads.networks import ACTIVATIONS, DecorrelatingHead, NetworkHead
from jaxpot.heads.scaling import scaling_of, whitening

__all__ = [
    "ACTIVATIONS",
    "DecorrelatingHead",
    "DesignHead",
    "ElementHead",
    "FlaxHead",
    "Head",
    "LinearHead",
    "NetworkHead",
    "scaling_of",
    "whitening",
]
