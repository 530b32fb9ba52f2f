"""Which potentials must compile, and which way a program takes: by the platform, by what it is lowered for."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxpot
from jaxpot.engine import compiled
from jaxpot.engine.compiled import machine
from jaxpot.neighbors import native
from jaxpot.numerics import native_choice, native_interface
from jaxpot.testing import Bench
from tests.contract.registry import EXAMPLES, Example
from tests.engine.test_compiled import CUTOFF, DIGITS, case, traced

pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")

__all__ = ["case"]

# Every potential of distances or angles and what is made of them, by the names in the contract suite's registry.
MUST_COMPILE = (
    "lennard_jones", "lennard_jones_force_shifted", "lennard_jones_switched", "wang_frenkel", "wang_frenkel_all_free",
    "morse_force_shifted", "buckingham_shifted", "zbl", "finnis_sinclair", "finnis_sinclair_alloy_with_core",
    "sutton_chen", "eam", "eam_fs", "radial_toy", "sum_of_potentials", "committee_of_wang_frenkel",
    "charges_of_the_system", "ions_by_ewald", "ions_with_cut_charges",
    "stillinger_weber", "stillinger_weber_switched", "tersoff_with_core", "tersoff_mod", "edip", "vashishta",
)  # fmt: skip
LENNARD_JONES = jaxpot.lennard_jones(CUTOFF)
PARAMS = {"epsilon": 0.4, "sigma": 2.4}


def lowered(potential: jaxpot.Potential, *arguments: Any) -> Any:
    """A program that no other test has lowered: JAX would give it back as it was."""
    return jax.jit(lambda *given: potential.evaluate(*given)).lower(*arguments)


def small(example: Example, potential: jaxpot.Potential) -> tuple[jaxpot.System, Any]:
    """A system with a list that is said to be by the compiled cell list; programs are lowered with it, not run."""
    bench = Bench(*example.build(), **example.settings)
    system = bench.system(bench.atoms)
    if potential.cutoff == 0:
        return system, None
    neighbors = jaxpot.neighbor_list(potential).allocate(system)
    return system, dataclasses.replace(neighbors, plan=neighbors.plan._replace(native=True))


@pytest.mark.parametrize("name", MUST_COMPILE)
def test_potentials_compile(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula that does not compile warns, and warnings are errors here."""
    monkeypatch.setattr(native_choice, "_warned", set())
    (example,) = (e for e in EXAMPLES if e.name == name)
    potential, params = example.build()
    system, neighbors = small(example, potential)
    loops: list[str] = []
    for call in (compiled.call, compiled.angles.call):
        monkeypatch.setattr(call, "target_of", lambda *given: loops.append(machine.target_of(*given)) or loops[-1])
    program = lowered(potential, params, system, neighbors).as_text()
    assert loops
    assert all(loop in program for loop in loops)


def test_every_potential_that_has_loops_is_listed(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found(Exception):
        pass

    def found(*_: Any, **__: Any) -> None:
        raise Found

    for loop in ("pair_loop", "angle_loop"):
        monkeypatch.setattr(compiled, loop, found)
    names = []
    for example in EXAMPLES:
        potential, params = example.build()
        system, neighbors = small(example, potential)
        try:
            lowered(potential, params, system, neighbors)
        except Found:
            names.append(example.name)
    assert set(names) == set(MUST_COMPILE)


def forces(positions: jax.Array, epsilon: Any, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jax.Array:
    params = {"epsilon": epsilon, "sigma": 2.4}
    return jaxpot.forces(LENNARD_JONES)(params, system.replace(positions=positions), neighbors)


def gradient(positions: jax.Array, epsilon: Any, system: jaxpot.System, neighbors: jaxpot.Neighbors) -> jax.Array:
    return jax.grad(lambda x, e: (forces(x, e, system, neighbors) ** 2).sum(), (0, 1))(positions, epsilon)


@pytest.mark.parametrize("function", [forces, gradient])
def test_exported_programs_contain_no_loops_of_this_process(function: Any, case: Any) -> None:
    system, neighbors = case
    fixed = jax.jit(lambda x, e: function(x, e, system, neighbors))
    for platforms in (("cpu",), ("cpu", "cuda")):
        exported = export.export(fixed, platforms=platforms)(system.positions, jnp.asarray(0.4))
        assert "jaxpot_pairs" not in exported.mlir_module()
        got, want = exported.call(system.positions, jnp.asarray(0.4)), fixed(system.positions, jnp.asarray(0.4))
        for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
            np.testing.assert_allclose(g, w, rtol=100 * DIGITS, atol=100 * DIGITS * float(jnp.abs(w).max()))


def test_exported_lists_contain_no_loops_of_this_process(case: Any) -> None:
    system, _ = case
    lists = jaxpot.neighbor_list(CUTOFF, 0.3, native_from=0)
    neighbors = lists.allocate(system)
    assert neighbors.plan.native

    def rebuilt(positions: jax.Array) -> tuple[Any, ...]:
        new = lists.rebuild(system.replace(positions=positions), neighbors)
        return (*LENNARD_JONES.evaluate(PARAMS, system.replace(positions=positions), new)[:3], new.overflow)

    program = jax.jit(rebuilt)
    assert "jaxpot_neighbors" in program.lower(system.positions).as_text()
    exported = export.export(program, platforms=("cpu", "cuda"))(system.positions)
    assert "jaxpot_" not in exported.mlir_module()
    for got, want in zip(exported.call(system.positions), program(system.positions), strict=True):
        np.testing.assert_allclose(got, want, rtol=100 * DIGITS, atol=100 * DIGITS * float(jnp.abs(want).max()))


def test_the_way_follows_the_platform_that_is_lowered_for(case: Any) -> None:
    system, neighbors = case
    program = jax.jit(LENNARD_JONES.evaluate).trace(PARAMS, system, neighbors)
    assert "jaxpot_pairs" in program.lower(lowering_platforms=("cpu",)).as_text()
    assert "jaxpot_pairs" not in program.lower(lowering_platforms=("cuda",)).as_text()
    assert "jaxpot_pairs" not in program.lower(lowering_platforms=("tpu",)).as_text()


def test_another_version_of_the_interface_is_refused(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    system, neighbors = case
    monkeypatch.setattr(native_choice, "_warned", set())
    expected = jax.jit(LENNARD_JONES.evaluate)(PARAMS, system, traced(neighbors)).forces
    for version in ((1, 0), (0, 2)):
        monkeypatch.setattr(native_interface, "_interface_version", lambda version=version: version)
        assert not native.available()
        with pytest.warns(UserWarning, match=rf"has version {version[0]}\.{version[1]} of XLA's foreign function"):
            potential = jaxpot.lennard_jones(CUTOFF)
            found = jax.jit(potential.evaluate)(PARAMS, system, neighbors).forces
        np.testing.assert_array_equal(found, expected)
    monkeypatch.setattr(native_interface, "_interface_version", lambda: (0, 9))
    assert native.available()
