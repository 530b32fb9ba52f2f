"""Padding, empty structures, batches, precision and compilation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms

from jaxpot.evaluation import Evaluation
from jaxpot.testing.bench import Bench
from jaxpot.testing.calculus import inner
from jaxpot.testing.findings import Finding, close, holds
from jaxpot.testing.suite import check

__all__: list[str] = []

MASK = (
    "what is computed in empty slots and for padded atoms: edges must be made harmless before the formula sees them, "
    "with jnp.where on its input, and left out after it"
)


PARTS = ("energies", "forces", "virial")


def results(found: Evaluation, wanted: Evaluation) -> Iterator[tuple[str, Any, Any]]:
    """Names and values of the named results of two evaluations."""
    for name, value in wanted.extras.items():
        yield name, found.extras[name], value


def finite(tree: Any) -> bool:
    """Whether all numbers of a pytree are finite."""
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(tree))


@check(MASK)
def padding(b: Bench) -> Iterator[Finding]:
    """Atoms, slots and images to spare change nothing, gradients with respect to params included."""
    allowance = 1e-12 if b.double else 1e-4
    exact, padded = b.exact(b.atoms), b.padded(b.atoms)
    count = len(b.atoms)
    without, with_padding = (jax.device_get(b.evaluate(b.params, *given)) for given in (exact, padded))
    names = set(with_padding.extras)
    yield holds("results are those that the potential gives", names == b.potential.gives, f"they are {sorted(names)}")
    for what in ("energies", "forces"):
        yield holds(f"{what} of padded atoms are 0", not getattr(with_padding, what)[count:].any(), "they are not")
    for what, one, other in (*zip(PARTS, without[:3], b.reference[:3], strict=True), *results(without, b.reference)):
        yield close(what, one, other, allowance * max(b.scale, float(np.abs(other).max())))
    first, second = b.gradient(b.params, *exact), b.gradient(b.params, *padded)
    for name, direction in b.directions:
        plain = inner(first, direction)
        allowed = max(100 * allowance * abs(plain), allowance)
        yield close(f"gradient of params{name}", inner(second, direction), plain, allowed)
    yield holds("gradients of params are finite", finite(second), "they are not")


@check(f"{MASK}; and square roots, norms and divisions at sums that are 0", ("free",))
def isolated_gradients(b: Bench) -> Iterator[Finding]:
    """Gradients with respect to params are finite for atoms without neighbours."""
    symbols = b.atoms.get_chemical_symbols()
    pair = b.cluster()[[symbols.index(b.elements[0]), symbols.index(b.elements[-1])]]
    pair.positions = [[0, 0, 0], [0, 0, b.potential.cutoff + 0.5]]
    both: dict[str, Atoms] = {"one atom": pair[:1], "two atoms out of reach": pair}
    for what, atoms in both.items():
        yield holds(f"{what}: finite", finite(b.gradient(b.params, *b.padded(atoms))), "a gradient is not finite")


@check(MASK, ("free",))
def empty_structure(b: Bench) -> Iterator[Finding]:
    """A structure of padded atoms alone has no energy, and no gradient with respect to params."""
    given = b.nothing()
    found = b.evaluate(b.params, *given)
    for what, value in zip(PARTS, found[:3], strict=True):
        yield close(what, value, 0.0, 0.0)
    for path, leaf in jax.tree_util.tree_leaves_with_path(b.gradient(b.params, *given)):
        yield close(f"gradient of params{jax.tree_util.keystr(path)}", leaf, 0.0, 0.0)


@check("Python that branches on numbers, loops over atoms or converts arrays to NumPy", ())
def one_trace(b: Bench) -> Iterator[Finding]:
    """Other numbers of the same shapes do not compile anything again."""
    others = [b.atoms.copy(), b.cluster()] if b.lacks("free") is None else [b.atoms.copy()]
    others[0].rattle(0.01, seed=1)
    b.of(b.atoms)
    before = b.traces
    for atoms in others:
        b.of(atoms)
    for _, direction in b.directions[:1]:
        b.energy(b.moved(direction, 0.01), *b.padded(b.atoms))
    yield close("traces", b.traces, before, 0)


@check("side effects, and values of params that decide about shapes", ("params",))
def many_params(b: Bench) -> Iterator[Finding]:
    """vmap over sets of params gives what a loop over them gives."""
    members = [b.params] + [b.moved(direction, 0.01) for _, direction in b.directions[:2]]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    given = b.padded(b.atoms)
    together = jax.jit(jax.vmap(b.potential.evaluate, (0, None, None)))(stacked, *given)
    yield from as_in_a_loop(b, together, [b.evaluate(params, *given) for params in members])
    different = float(np.abs(together.energies[0].sum() - together.energies[1].sum()))
    yield holds("the sets differ", different > 0, "the energy does not depend on the params")


@check("operations that vmap does not know, such as callbacks, and shapes that depend on numbers")
def many_structures(b: Bench) -> Iterator[Finding]:
    """vmap over structures of one padded shape gives what a loop over them gives."""
    other = b.atoms.copy()
    other.rattle(0.05, seed=3)
    given = [b.padded(atoms) for atoms in (b.atoms, other)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *given)
    together = jax.jit(jax.vmap(b.potential.evaluate, (None, 0, 0 if b.list is not None else None)))(b.params, *stacked)
    yield from as_in_a_loop(b, together, [b.evaluate(b.params, *one) for one in given])


def as_in_a_loop(b: Bench, together: Evaluation, each: list[Evaluation]) -> Iterator[Finding]:
    """Evaluations along a leading axis, against one after another."""
    allowance = 1e-11 if b.double else 1e-4
    for k, alone in enumerate(each):
        for what, many, one in zip(PARTS, together[:3], alone[:3], strict=True):
            yield close(f"{what} of number {k}", many[k], one, allowance * max(b.scale, float(jnp.abs(one).max())))


@check("constants made by NumPy in the formula, as np.array(...) is float64: use jnp, or the type of the distances",
       ("float64",))  # fmt: skip
def float32(b: Bench) -> Iterator[Finding]:
    """With positions in float32 everything is float32, whatever the params are, and close to float64."""
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), b.params)
    given = b.padded(b.atoms, "float32")
    # as a user has them: params as they come, be they float64 or Python numbers
    for what, params in (("float32", single), ("as given", b.given)):
        kinds = {str(leaf.dtype) for leaf in b.evaluate(params, *given)[:3]}
        yield holds(f"results with params {what}", kinds == {"float32"}, f"have the types {sorted(kinds)}")
    found = b.stripped(b.evaluate(single, *given), len(b.atoms))
    energies, forces, virial, _ = b.reference
    yield close("energies", found.energies, energies, 1e-5 * max(b.scale, float(np.abs(energies).max())))
    yield close("forces", found.forces, forces, 1e-4 * b.scale)
    yield close("virial", found.virial, virial, 2e-4 * float(np.abs(virial).max()))
    wide = sorted(set(wide_arrays(jax.make_jaxpr(b.potential.evaluate)(single, *given).jaxpr)))
    yield holds("no float64 array in the program", not wide, f"there are {', '.join(wide[:4])}")


def wide_arrays(jaxpr: Any) -> Iterator[str]:
    """Primitives of a traced program whose result is an array of float64."""
    for equation in jaxpr.eqns:
        for variable in equation.outvars:
            aval = variable.aval
            if getattr(aval, "dtype", None) == np.float64 and aval.ndim > 0:
                yield f"{equation.primitive.name}: {aval}"
        for value in equation.params.values():
            for inside in value if isinstance(value, tuple | list) else [value]:
                program = getattr(inside, "jaxpr", inside)
                if hasattr(program, "eqns"):
                    yield from wide_arrays(program)


@check("prepare=, which must give what the formula takes, and keep nothing of the params in their own type")
def preparation(b: Bench) -> Iterator[Finding]:
    """Prepared params give the same numbers as params."""
    given = b.padded(b.atoms)
    prepared = b.potential.prepare(b.params, given[0].positions.dtype)
    found = b.evaluate(prepared, *given)
    for what, one, other in zip(PARTS, found[:3], b.evaluate(b.params, *given)[:3], strict=True):
        size = max(b.scale, float(jnp.abs(other).max()))
        yield close(what, one, other, (1e-12 if b.double else 1e-4) * size)
