"""The bispectrum as a descriptor."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax

from jaxpot.descriptors.bispectrum.jacobian import bispectrum_jacobian
from jaxpot.descriptors.bispectrum.settings import BispectrumSettings, bispectrum_triples
from jaxpot.descriptors.bispectrum.values import bispectrum, bispectrum_energy
from jaxpot.descriptors.descriptor import Descriptor, Jacobian
from jaxpot.descriptors.environment import Environment
from jaxpot.spec import plain_data

__all__ = ["Bispectrum"]


@plain_data
@dataclasses.dataclass(frozen=True)
class Bispectrum(BispectrumSettings, Descriptor):
    """The SO(4) bispectrum of the neighbour density, the descriptor of SNAP.

    The formula is that of :func:`jaxpot.descriptors.bispectrum.values.bispectrum`; the attributes are those of
    :class:`jaxpot.descriptors.bispectrum.settings.BispectrumSettings`.

    Example:
        >>> from jaxpot.descriptors.bispectrum import Bispectrum
        >>> Bispectrum(("Ta",), twojmax=2, radii=(2.35,), weights=(1.0,)).names
        ('B[0,0,0]', 'B[1,0,1]', 'B[1,1,2]', 'B[2,0,2]', 'B[2,2,2]')
    """

    block: ClassVar[int] = 384  # large, because most of the work is products of matrices

    @property
    def names(self) -> tuple[str, ...]:
        """Names with the degrees of the components and, if every element has its own density, three elements."""
        names = tuple(f"B[{j1},{j2},{j}]" for j1, j2, j in bispectrum_triples(self.twojmax))
        if not self.by_elements:
            return names
        return tuple(
            f"{n}({a},{b},{c})" for a in self.elements for b in self.elements for c in self.elements for n in names
        )

    def values(self, environment: Environment) -> jax.Array:
        """The components of many atoms, [atoms, number].

        Args:
            environment: arrays [atoms, neighbors].
        """
        return bispectrum(self, environment)

    def contract(self, environment: Environment, coefficients: jax.Array) -> jax.Array:
        """The sum of components times coefficients, [atoms], computed without the single components.

        Args:
            environment: arrays [atoms, neighbors].
            coefficients: [atoms or 1, number].
        """
        return bispectrum_energy(self, coefficients, environment)

    def jacobian(self, environment: Environment) -> Jacobian:
        """The components of many atoms and their derivatives, by the chain rule through the moments of the densities.

        Args:
            environment: arrays [atoms, neighbors].
        """
        return bispectrum_jacobian(self, environment)
