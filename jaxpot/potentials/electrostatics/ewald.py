"""Ewald's sum: Coulomb's law between all charges and all their periodic images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.lax import erfc

from jaxpot.engine import PairSpecies, radial_potential
from jaxpot.engine.lattice import LongRange
from jaxpot.engine.rows import per_atom
from jaxpot.evaluation import Evaluation, Functions, Outputs, Params
from jaxpot.neighbors import Neighbors
from jaxpot.numerics.named import named_parameters
from jaxpot.numerics.switching import largest_cutoff
from jaxpot.potential import Potential
from jaxpot.spec import potential_kind
from jaxpot.system import System
from jaxpot.units import COULOMB

__all__ = ["ewald"]

METHODS = ("auto", "waves", "mesh")
ORDERS = (4, 5, 6)


@potential_kind
def ewald(
    cutoff: float,
    elements: Sequence[str] | None = None,
    accuracy: float = 1e-5,
    method: str = "auto",
    order: int = 5,
    gaussian: bool = False,
    constant: float = COULOMB,
) -> Potential:
    """Ewald's sum: Coulomb's law between all charges and all their periodic images.

    E = k/2 sum_i sum_j sum_n q_i q_j / |r_i - r_j + n| over lattice vectors n, without an atom's interaction with
    itself. Pairs closer than the cutoff interact by erfc(alpha r) / r; the rest is a sum of waves, or of a mesh.

    - Periodic in three directions: a cell with a net charge has a uniform background that neutralises it; the medium at
      infinity is a conductor ("tinfoil"). The cell may be skewed and as small as one atom.
    - In two, a slab of any tilt: the exact sum in two dimensions, also of a slab with a dipole or a charge (whose
      potential is -2 pi |z| per area and charge); no vacuum is needed, and the third cell vector does not matter.
    - In none, a molecule: Coulomb's law between all atoms.

    The charges q are data of the system, ``extras={"charges": [atoms] e}``, or come from a potential before this one in
    :func:`jaxpot.chain`, such as :func:`jaxpot.fixed_charges`. The params are ``{}`` for point charges. With
    ``gaussian=True``, a charge has the density exp(-r^2 / 2 w^2), two of them interact by erf(r / 2^(1/2) g) / r with
    g^2 = w_i^2 + w_j^2, and the params are ``{"width": [species] Å}``; a charge's energy in its own potential is left
    out. The cutoff must be several times 2 w; where erfc(cutoff / 2 w) is above the accuracy, the energy is NaN.

    Numbers of waves and points of the mesh are kept in the neighbour list; they are chosen anew by ``allocate``, and by
    drivers when the cell has strained by 5 %, or a molecule has grown, so that they are not enough.

    Args:
        cutoff: Å, of the pairs. It has no influence on the result, but on speed; 8 to 10 Å serve most.
        elements: chemical symbols whose order gives the species; None for one kind of atom.
        accuracy: root mean square of the errors of forces, in units of k <q^2> / Å^2, for up to 0.125 atoms / Å^3.
        method: ``"waves"`` sums them one by one, ``"mesh"`` uses a particle mesh (P3M), and ``"auto"`` takes the one
            that is faster for the system.
        order: of the mesh's B-splines, 4, 5 or 6.
        gaussian: whether charges are Gaussians instead of points.
        constant: k = e^2 / (4 pi eps0), eV Å; CODATA's by default. Other programs' are in :mod:`jaxpot.units`.

    Returns:
        The :class:`jaxpot.Potential`.

    Raises:
        ValueError: the cutoff or the accuracy is not positive, an unknown method or order; a system that is periodic in
            one direction only; at evaluation, charges or params are missing.

    Example:
        >>> import jaxpot
        >>> from ase.build import bulk
        >>> potential = jaxpot.chain(jaxpot.fixed_charges(["Na", "Cl"]), jaxpot.ewald(8.0, ["Na", "Cl"]))
        >>> system = jaxpot.System.from_ase(bulk("NaCl", "rocksalt", a=5.64), ["Na", "Cl"])
        >>> neighbors = jaxpot.neighbor_list(potential).allocate(system)
        >>> energy = jaxpot.energy(potential)(({"charges": [1.0, -1.0]}, {}), system, neighbors)
        >>> f"{-energy * 2.82 / 14.399645:.4f}"  # Madelung's constant
        '1.7476'

    Reference: P. P. Ewald, Ann. Phys. 369, 253 (1921); R. W. Hockney and J. W. Eastwood, Computer Simulation Using
    Particles (1988); J. Kolafa and J. W. Perram, Mol. Simul. 9, 351 (1992); C. A. Rozzi et al., Phys. Rev. B 73, 205119
    (2006).
    """
    name = "ewald"
    cutoff = largest_cutoff(name, float(cutoff), None)
    if not 0 < accuracy < 1:
        raise ValueError(f"{name}: the accuracy must be between 0 and 1, got {accuracy}")
    if method not in METHODS:
        raise ValueError(f"{name}: method must be one of {', '.join(METHODS)}; got {method!r}")
    if order not in ORDERS:
        raise ValueError(f"{name}: order must be one of {', '.join(map(str, ORDERS))}; got {order!r}")
    elements = None if elements is None else tuple(elements)
    number = 1 if elements is None else len(elements)
    long_range = LongRange.chosen(cutoff, accuracy, order, method)  # type: ignore[arg-type]
    alpha = long_range.alpha
    names = ("width",) if gaussian else ()
    own = constant * alpha / math.sqrt(math.pi)

    def inverse_ranges(params: Params, dtype: jnp.dtype) -> jax.Array:
        """[species, species] 1 / (2^(1/2) g), NaN where two Gaussians are too wide for the cutoff."""
        widths = jnp.broadcast_to(named_parameters(name, params, dtype, names)["width"], (number,))
        squared = 2.0 * (widths[:, None] ** 2 + widths[None, :] ** 2)
        # two points interact by erf of infinity
        inverse = 1.0 / jnp.sqrt(jnp.where(squared > 0, squared, 1e-12))
        return jnp.where(erfc(inverse * cutoff) <= accuracy, inverse, jnp.nan)

    def contributions(params: Params, r: jax.Array, species: PairSpecies) -> tuple[jax.Array, ...]:
        shape = erfc(alpha * r)
        if gaussian:
            shape = shape - erfc(species.pair(inverse_ranges(params, r.dtype)) * r)
        else:
            named_parameters(name, params, r.dtype, names)
        return (0.5 * constant * species.product("charges") * shape / r,)

    pairs = radial_potential(contributions, None, cutoff, elements, name, needs=["charges"])

    def charges_of(system: System) -> jax.Array:
        return jnp.where(system.real, per_atom(system, "charges"), 0.0)

    def outputs(params: Params, system: System, neighbors: Neighbors) -> Outputs:
        charges = charges_of(system)
        near = pairs.unchecked.outputs(params, system, neighbors)
        far = 0.5 * constant * charges * long_range.potential(system, charges, neighbors)
        return near._replace(energies=near.energies + far - own * charges**2)

    def evaluate(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        charges = charges_of(system)
        near = pairs.unchecked.evaluate(params, system, neighbors)
        potential, by_positions, by_strain = long_range.evaluation(system, charges, neighbors)
        energies = near.energies + 0.5 * constant * charges * potential - own * charges**2
        return Evaluation(energies, near.forces - constant * by_positions, near.virial + constant * by_strain)

    def functions_of(params: Params, system: System, neighbors: Neighbors) -> Evaluation:
        if neighbors.plan.other_atoms:  # forces are the derivative of the energies of the centers alone
            return whole.evaluate(params, system, neighbors)
        return evaluate(params, system, neighbors)

    whole = Functions(outputs)
    return Potential(
        name,
        cutoff,
        elements,
        Functions(outputs, functions_of),
        needs=frozenset({"charges"}),
        resolution=long_range.resolution,
    )
