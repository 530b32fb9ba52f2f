"""Saving, loading and pickling."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from jaxpot.evaluation import Params
from jaxpot.io.load import load, save
from jaxpot.testing.bench import Bench
from jaxpot.testing.findings import Finding, close, holds
from jaxpot.testing.suite import check

__all__: list[str] = []

SPEC = "arguments of the factory that are no plain data, or that it changes: the spec is made of them"
FILES = ("potential.json", "params.safetensors")


def shape_of(params: Params) -> str:
    """The structure of a pytree."""
    return str(jax.tree.structure(params))


@check(SPEC, ("spec",))
def pickled(b: Bench) -> Iterator[Finding]:
    """A potential comes back from a pickle, and is made again from its spec."""
    potential = b.potential
    assert potential.spec is not None
    for what, again in (("pickle", pickle.loads(pickle.dumps(potential))), ("spec", potential.spec.build())):
        yield holds(f"{what}: the same spec", again.spec == potential.spec, f"{again.spec} is not {potential.spec}")
        yield holds(f"{what}: the same hash", hash(again.spec) == hash(potential.spec), "it is another")
        yield holds(f"{what}: the same potential", repr(again) == repr(potential), f"{again!r} is not {potential!r}")


@check(f"{SPEC}; and params that are not arrays in dicts, lists and tuples", ("spec", "safetensors"))
def saved(b: Bench) -> Iterator[Finding]:
    """A potential that is saved and loaded has the same spec, params and numbers, and is saved the same."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, "saved"), Path(name, "twice")]
        save(folders[0], b.potential, b.given, "safetensors")
        again, params = load(folders[0])
        save(folders[1], again, params, "safetensors")
        for file in FILES:
            first, second = (folder.joinpath(file).read_bytes() for folder in folders)
            yield holds(f"{file} saved again", first == second, "differs")
    yield holds("the same spec", again.spec == b.potential.spec, f"{again.spec} is not {b.potential.spec}")
    yield holds("the same potential", repr(again) == repr(b.potential), f"{again!r} is not {b.potential!r}")
    yield holds("params of the same structure", shape_of(params) == shape_of(b.given), str(params))
    for one, other in zip(jax.tree.leaves(b.given), jax.tree.leaves(params), strict=True):
        yield holds("params of the same shape", np.shape(one) == other.shape, f"{other.shape} is not {np.shape(one)}")
        yield close("params", other, np.asarray(one, other.dtype), 0.0)
    given = b.padded(b.atoms)
    floats = jax.tree.map(
        lambda leaf, own: leaf.astype(own.dtype), params, b.params
    )  # whole numbers as b.params has them
    found = b.stripped(jax.jit(again.evaluate)(floats, *given), len(b.atoms))
    for what, one, other in zip(("energies", "forces", "virial"), found[:3], b.reference[:3], strict=True):
        yield close(what, one, other, 0.0 if b.double else 1e-4 * max(b.scale, float(np.abs(other).max())))
