"""The formula of a radial potential, without positions and lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxpot.engine.species import PairSpecies
from jaxpot.evaluation import Params

__all__ = ["AtomEnergy", "Contributions", "RadialFormula", "virial_tensor"]

Contributions = Callable[[Params, jax.Array, PairSpecies], tuple[jax.Array, ...]]
Terms = tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]  # h and dh/dr
AtomEnergy = Callable[[Params, tuple[jax.Array, ...], jax.Array], jax.Array]


class RadialFormula(NamedTuple):
    """E = sum_i G(S_i), S_i = sum_j h(r_ij).

    Attributes:
        contributions: the terms h, see :func:`jaxpot.radial_potential`.
        atom_energy: G; None where the energy is the only sum.
        cutoff: Å.
        species: how many kinds of atoms there are.
        needs: names of the atoms' data that the terms depend on.
    """

    contributions: Contributions
    atom_energy: AtomEnergy | None
    cutoff: float
    species: int
    needs: tuple[str, ...] = ()

    def pair(self, own: jax.Array, other: jax.Array, data: Sequence[jax.Array] = ()) -> PairSpecies:
        """Both ends of an edge, from their species and the data: those of this atom, then those of the other."""
        number = len(self.needs)
        ends = zip(data[:number], data[number:], strict=True)
        return PairSpecies(own, other, self.species, dict(zip(self.needs, ends, strict=True)))

    def derivative(self, params: Params, distances: jax.Array, pair: PairSpecies) -> Terms:
        """Terms h and their derivatives with respect to the distance, element by element."""
        return jax.jvp(lambda r: self.contributions(params, r, pair), (distances,), (jnp.ones_like(distances),))

    def both_ends(self, params: Params, distances: jax.Array, pair: PairSpecies) -> tuple[Terms, Terms]:
        """Terms and derivatives for the edge from this atom of a pair, and for the edge from the other atom.

        They are computed only once where the formula does not distinguish the ends, see :class:`PairSpecies`.
        """
        here = self.derivative(params, distances, pair)
        return here, self.derivative(params, distances, pair.swapped()) if pair.ends_differ else here

    def embed(self, params: Params, sums: tuple[jax.Array, ...], species: jax.Array, real: jax.Array) -> jax.Array:
        """Energies G of the centers; where ``real`` is False they have no meaning."""
        if self.atom_energy is None:
            return sums[0]
        # padding gets the sums of some real atom, since G may be singular for sums of 0
        some = jnp.argmax(real)
        sums = tuple(jnp.where(real, s, s[some]) for s in sums)
        return self.atom_energy(params, sums, species)

    def embedded(
        self, params: Params, sums: tuple[jax.Array, ...], species: jax.Array, real: jax.Array
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Energies G, and dG/dS for each sum, 0 where there is no atom."""
        each, pull = jax.vjp(lambda s: self.embed(params, s, species, real), sums)
        (weights,) = pull(real.astype(each.dtype))
        return each, weights

    def added_sums(self, params: Params, dtype: Any) -> tuple[bool, ...]:
        """Which sums enter the energy by addition alone, G(S) = S_k + (a function of the other sums), as in EAM.

        The answer is read from the jaxpr of G. It is False for a sum where the jaxpr does not show this form.
        """
        one = jax.ShapeDtypeStruct((), dtype)
        pair = self.pair(
            jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), [jnp.zeros((), dtype)] * 2 * len(self.needs)
        )
        number = len(jax.eval_shape(lambda r: self.contributions(params, r, pair), one))
        if self.atom_energy is None:
            return (True,) * number
        sums = (jax.ShapeDtypeStruct((1,), dtype),) * number
        energy = self.atom_energy
        jaxpr = jax.make_jaxpr(lambda s: energy(params, s, jnp.zeros(1, jnp.int32)))(sums).jaxpr
        (result,) = jaxpr.outvars

        def added(variable: Any) -> bool:
            uses = [equation for equation in jaxpr.eqns for v in equation.invars if v is variable]
            if variable is result:
                return not uses
            return len(uses) == 1 and uses[0].primitive.name in ("add", "add_any") and added(uses[0].outvars[0])

        return tuple(added(variable) for variable in jaxpr.invars)


def virial_tensor(
    xx: jax.Array, yy: jax.Array, zz: jax.Array, yz: jax.Array, xz: jax.Array, xy: jax.Array
) -> jax.Array:
    """[3, 3] from its six components."""
    return jnp.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz]).reshape(3, 3)
