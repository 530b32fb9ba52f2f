"""Many symmetry functions of one environment at once, each exponential and each power computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.descriptors.symmetry_functions.cutoffs import cutoff_function
from jaxpot.descriptors.symmetry_functions.functions import SymmetryFunction

__all__ = ["Evaluator", "evaluator"]

Numbers = dict[str, Any]


class Evaluator(NamedTuple):
    """The values of symmetry functions around one atom.

    Attributes:
        values: ``(numbers, x, y, z, distances, species, own_species, mask) -> [largest]``: displacements to the
            neighbours and what they are, each [neighbors], as in :class:`jaxpot.Environment`. The functions of the own
            element come in the order of ``functions``, then zeros up to the largest number that an element has.
        functions: of each element, in their order.
        numbers: eta and shift of the distinct Gaussians, ``{"radial": {"eta", "shift"}, "angular": {...}}``, 1/Å^2 and
            Å: what ``values`` takes, as arrays, where they are not to stay as they are.
        cutoff: Å, the largest.
    """

    values: Callable[..., jax.Array]
    functions: dict[str, tuple[SymmetryFunction, ...]]
    numbers: Numbers
    cutoff: float


def evaluator(
    elements: Sequence[str], functions: Sequence[SymmetryFunction], cutoff: str = "cos", inner: float = 0.0
) -> Evaluator:
    """Compiles a set of symmetry functions into one function of an environment.

    An angular function is a Gaussian of distances times a power of an angle. Each distinct Gaussian and each distinct
    power is computed once for a pair of neighbours; the sums over pairs of all their products are one matrix product.

    Args:
        elements: chemical symbols whose order gives the species.
        functions: of all elements, in any order of the elements; at least one.
        cutoff: kind of cutoff function, see :func:`cutoff_function`.
        inner: the inner cutoff as a fraction of the cutoff.

    Returns:
        The :class:`Evaluator`.

    Raises:
        ValueError: no functions, or a function names an element that is not among ``elements``.
    """
    elements = tuple(elements)
    functions = tuple(functions)
    if not functions:
        raise ValueError("no symmetry functions given; make some with radial(...) and angular(...), or a usual set")
    for one in functions:
        strange = [s for s in (one.center, *one.neighbors) if s not in elements]
        if strange:
            raise ValueError(f"symmetry function for {strange[0]}, which is not among the elements {elements}: {one}")
    by_element = {symbol: tuple(f for f in functions if f.center == symbol) for symbol in elements}
    fc = cutoff_function(cutoff, inner)
    sums = _Radial([f for f in functions if f.is_radial], elements, fc)
    pairs = _Angular([f for f in functions if not f.is_radial], elements, fc)
    largest = max(map(len, by_element.values()))
    # where the values of an element's functions stand; the last place holds 0
    index = np.full((len(elements), largest), sums.size + pairs.size)
    for k, symbol in enumerate(elements):
        for n, one in enumerate(by_element[symbol]):
            index[k, n] = sums.place(one) if one.is_radial else sums.size + pairs.place(one)

    def values(
        numbers: Numbers | None,
        x: jax.Array,
        y: jax.Array,
        z: jax.Array,
        distances: jax.Array,
        species: jax.Array,
        own_species: jax.Array,
        mask: jax.Array,
    ) -> jax.Array:
        given = numbers or {}
        found = [
            sums.values(given.get("radial", sums.numbers), distances, species, mask),
            pairs.values(given.get("angular", pairs.numbers), x, y, z, distances, species, mask),
            jnp.zeros(1, x.dtype),
        ]
        wanted = index[0] if len(elements) == 1 else jnp.asarray(index)[own_species]
        return jnp.concatenate(found)[wanted]

    numbers = {"radial": sums.numbers, "angular": pairs.numbers}
    return Evaluator(values, by_element, numbers, max(f.cutoff for f in functions))


def _atomic_numbers(elements: Sequence[str]) -> list[int]:
    from ase.data import atomic_numbers

    return [atomic_numbers[symbol] for symbol in elements]


def _weights_of_kinds(
    kinds: Sequence[tuple[str, ...]], elements: Sequence[str], weighted: bool
) -> np.ndarray:
    """[kinds, elements] what a neighbour counts in each kind of sum: of one element, or of all by atomic number."""
    if weighted:
        charges = _atomic_numbers(elements)
    rows = [[1.0 * (kind[0] == s) for s in elements] if kind else charges for kind in kinds]
    return np.array(rows).reshape(len(kinds), len(elements))


class _Radial:
    """Sums over neighbours of distinct functions of the distance, for each kind of neighbour."""

    def __init__(self, functions: Sequence[SymmetryFunction], elements: tuple[str, ...], fc: Callable[..., jax.Array]):
        self.terms = sorted({self._term(f) for f in functions})
        self.kinds = sorted({f.neighbors for f in functions})
        self.size = len(self.terms) * len(self.kinds)
        self.fc = fc
        self.elements = elements
        self.weights = _weights_of_kinds(self.kinds, elements, () in self.kinds)
        self.numbers = {"eta": np.array([t[2] for t in self.terms]), "shift": np.array([t[3] for t in self.terms])}

    @staticmethod
    def _term(f: SymmetryFunction) -> tuple[float, float, float, float]:
        return f.cutoff, f.kappa if f.type == 4 else 0.0, f.eta, f.shift

    def place(self, f: SymmetryFunction) -> int:
        return self.kinds.index(f.neighbors) * len(self.terms) + self.terms.index(self._term(f))

    def values(self, numbers: Numbers, r: jax.Array, species: jax.Array, mask: jax.Array) -> jax.Array:
        if not self.size:
            return jnp.zeros(0, r.dtype)
        cutoffs = sorted({t[0] for t in self.terms})
        ends = {rc: jnp.where(mask, self.fc(r, rc), 0.0) for rc in cutoffs}
        eta, shift = (jnp.asarray(numbers[name], r.dtype)[:, None] for name in ("eta", "shift"))
        gaussians = jnp.exp(-eta * (r[None, :] - shift) ** 2)
        kappa = np.array([t[1] for t in self.terms])
        if kappa.any():
            gaussians = gaussians * jnp.cos(jnp.asarray(kappa[:, None], r.dtype) * r[None, :])
        end = jnp.stack([ends[t[0]] for t in self.terms]) if len(cutoffs) > 1 else ends[cutoffs[0]][None, :]
        terms = gaussians * end
        if len(self.elements) == 1:
            total = terms.sum(axis=1)
            return (jnp.asarray(self.weights, r.dtype) * total[None, :]).reshape(-1)
        weights = jnp.asarray(self.weights, r.dtype)[:, species]
        return jnp.einsum("wk,tk->wt", weights, terms).reshape(-1)


class _Angular:
    """Sums over pairs of neighbours of all products of a Gaussian and a power, for each kind of pair."""

    def __init__(self, functions: Sequence[SymmetryFunction], elements: tuple[str, ...], fc: Callable[..., jax.Array]):
        self.gaussians = sorted({self._gaussian(f) for f in functions})
        self.powers = sorted({(f.sign, f.zeta) for f in functions})
        self.kinds = sorted({f.neighbors for f in functions})
        self.size = len(self.gaussians) * len(self.powers) * len(self.kinds)
        self.fc = fc
        self.elements = elements
        # Gaussians with and without the third side share what depends on the other two.
        self.sides = sorted({g[1:] for g in self.gaussians})
        self.numbers = {"eta": np.array([s[1] for s in self.sides]), "shift": np.array([s[2] for s in self.sides])}
        self.charges = np.array(_atomic_numbers(elements) if () in self.kinds else [0.0])

    @staticmethod
    def _gaussian(f: SymmetryFunction) -> tuple[bool, float, float, float]:
        return f.is_narrow, f.cutoff, f.eta, f.shift

    def place(self, f: SymmetryFunction) -> int:
        kind, gaussian = self.kinds.index(f.neighbors), self.gaussians.index(self._gaussian(f))
        power = self.powers.index((f.sign, f.zeta))
        return (kind * len(self.gaussians) + gaussian) * len(self.powers) + power

    def values(
        self,
        numbers: Numbers,
        x: jax.Array,
        y: jax.Array,
        z: jax.Array,
        r: jax.Array,
        species: jax.Array,
        mask: jax.Array,
    ) -> jax.Array:
        if not self.size or r.shape[0] < 2:
            return jnp.zeros(self.size, r.dtype)
        partners = _partners(r.shape[0])
        ends = {rc: jnp.where(mask, self.fc(r, rc), 0.0) for rc in sorted({s[0] for s in self.sides})}
        eta, shift = (jnp.asarray(numbers[name], r.dtype) for name in ("eta", "shift"))
        sides = [
            jnp.exp(-eta[n] * (r - shift[n]) ** 2) * ends[rc] for n, (rc, _, _) in enumerate(self.sides)
        ]
        inverse = 1.0 / r
        unit = (x * inverse, y * inverse, z * inverse)
        cosine = sum(u[None, :] * partners(u) for u in unit)
        both = {s: sides[n][None, :] * partners(sides[n]) for n, s in enumerate(self.sides)}
        gaussians = []
        if any(g[0] for g in self.gaussians):
            real = mask[None, :] & partners(mask)
            squared = sum((partners(d) - d[None, :]) ** 2 for d in (x, y, z))
        third: dict[float, tuple[jax.Array, jax.Array]] = {}
        for narrow, *side in self.gaussians:
            value, n, rc = both[tuple(side)], self.sides.index(tuple(side)), side[0]
            if narrow:
                if rc not in third:
                    inside = real & (squared < rc * rc)
                    distance = jnp.sqrt(jnp.where(inside, squared, rc * rc))
                    third[rc] = distance, jnp.where(inside, self.fc(distance, rc), 0.0)
                distance, end = third[rc]
                value = value * (jnp.exp(-eta[n] * (distance - shift[n]) ** 2) * end)
            gaussians.append(value)
        powers = _powers(cosine, self.powers)
        left = jnp.stack(self._by_kind(gaussians, species, partners)).reshape(-1, cosine.size)
        right = jnp.stack(powers).reshape(len(powers), cosine.size)
        return jnp.einsum("gp,ap->ga", left, right).reshape(-1)

    def _by_kind(
        self, gaussians: list[jax.Array], species: jax.Array, partners: Callable[[jax.Array], jax.Array]
    ) -> list[jax.Array]:
        """The Gaussians of all pairs, 0 or weighted where a pair is not of a kind, kind by kind."""
        dtype = gaussians[0].dtype
        result = []
        other = partners(species)
        for kind in self.kinds:
            if not kind:
                charge = jnp.asarray(self.charges, dtype)[species]
                weight = charge[None, :] * partners(charge)
            elif len(self.elements) == 1:
                result += gaussians
                continue
            else:
                a, b = (self.elements.index(symbol) for symbol in kind)
                one, two = species[None, :], other
                weight = (((one == a) & (two == b)) | ((one == b) & (two == a))).astype(dtype)
            result += [g * weight for g in gaussians]
        return result


def _partners(count: int) -> Callable[[jax.Array], jax.Array]:
    """Values of the second neighbour of each pair, the first being the last axis of [shifts, neighbors].

    Neighbour k is paired with neighbours k + 1, k + 2 ... k + count // 2, counted around: every pair once. With an even
    count the last of these rows would hold its pairs twice; there, half of them point to a value of 0. Slices, and not
    a gather: several times faster on a CPU.
    """
    shifts = count // 2

    def partners(values: jax.Array) -> jax.Array:
        twice = jnp.concatenate([values, values])
        rows = [twice[s : s + count] for s in range(1, shifts + 1)]
        if count % 2 == 0:
            half = np.arange(count) < count // 2
            rows[-1] = jnp.where(half, rows[-1], jnp.zeros((), values.dtype))
        return jnp.stack(rows)

    return partners


def _powers(cosine: jax.Array, wanted: Sequence[tuple[float, float]]) -> list[jax.Array]:
    """2^(1-zeta) (1 + lambda cos)^zeta for each (lambda, zeta); whole zetas by squaring, each square once."""
    result = []
    squares: dict[float, list[jax.Array]] = {}
    for sign, zeta in wanted:
        base = 0.5 * (1.0 + sign * cosine)
        if zeta != int(zeta):
            positive = base > 0
            result.append(jnp.where(positive, 2.0 * jnp.where(positive, base, 1.0) ** zeta, 0.0))
            continue
        known = squares.setdefault(sign, [base])
        value = None
        for bit in range(int(zeta).bit_length()):
            if bit == len(known):
                known.append(known[-1] * known[-1])
            if int(zeta) >> bit & 1:
                value = known[bit] if value is None else value * known[bit]
        assert value is not None
        result.append(2.0 * value)
    return result
