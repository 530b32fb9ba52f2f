"""The compiled paths where processes, devices and batches are not the usual ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="the compiled paths need the extra `fast`")

# 500 atoms take the compiled list and loop; the traced formula says what is right
SETUP = """
import dataclasses, jax, jax.numpy as jnp, numpy as np, jaxpot
from jax.sharding import NamedSharding, PartitionSpec
from ase.build import bulk
atoms = bulk("Cu", cubic=True, a=4.0) * (5, 5, 5)
atoms.rattle(0.1, seed=1)
potential, params = jaxpot.lennard_jones(5.0), {"epsilon": 0.4, "sigma": 2.4}
system = jaxpot.System.from_ase(atoms)
neighbors = jaxpot.neighbor_list(5.0, native_from=500).allocate(system)
assert neighbors.plan.native
forces = jaxpot.forces(potential)
traced = dataclasses.replace(neighbors, plan=neighbors.plan._replace(native=False))
expected = np.asarray(jax.jit(forces)(params, system, traced))
scale = np.abs(expected).max()
def check(found):
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale)
"""
# nothing is compiled by numba before the threads start
SETUP_WITHOUT_LIST = SETUP.replace("native_from=500", "native_from=10**9").replace("assert neighbors.plan.native", "")
DEVICES = """
# not explicit axes: over those JAX maps no sequential call
mesh = jax.make_mesh((2,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
for device in jax.devices():
    check(jax.jit(forces)(params, *jax.device_put((system, neighbors), device)))
everywhere = jax.device_put((system, neighbors), NamedSharding(mesh, PartitionSpec()))
check(jax.jit(forces)(params, *everywhere))
ensemble = jax.device_put(jnp.array([0.4, 0.8]), NamedSharding(mesh, PartitionSpec("i")))
several = jax.jit(jax.vmap(lambda e: forces({"epsilon": e, "sigma": 2.4}, *everywhere)))(ensemble)
check(several[0]); check(several[1] / 2)
# several parameters, one a device, and a gradient through the forces
def loss(epsilon, positions, neighbors):
    found = forces({"epsilon": epsilon[0], "sigma": 2.4}, system.replace(positions=positions), neighbors)
    return (found**2).sum()
for vary in (True, False):
    gradients = [jax.jit(jax.shard_map(
        lambda e, x: jax.grad(loss, (0, 1))(e, x, n), mesh=mesh, in_specs=(PartitionSpec("i"), PartitionSpec("i")),
        out_specs=(PartitionSpec("i"), PartitionSpec("i")), check_vma=vary,
    ))(jnp.array([0.4, 0.8]), jnp.concatenate([system.positions] * 2)) for n in (neighbors, traced)]
    for got, want in zip(*gradients):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max())
    shared = [jax.jit(jax.shard_map(
        lambda e, x: jax.grad(loss)(e, x, n), mesh=mesh, in_specs=(PartitionSpec("i"), PartitionSpec()),
        out_specs=PartitionSpec("i"), check_vma=vary,
    ))(jnp.array([0.4, 0.8]), system.positions) for n in (neighbors, traced)]
    np.testing.assert_allclose(*shared, rtol=1e-4)
"""
THREADS = """
import threading
found, failed = [None] * 8, []
start = threading.Barrier(8)
def first(k):
    try:
        start.wait()
        own = jaxpot.neighbor_list(5.0, native_from=500).allocate(system)
        found[k] = jax.jit(lambda x: forces(params, system.replace(positions=x), own))(system.positions)
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=first, args=(k,)) for k in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
for each in found: check(each)
"""
FORK = """
import os
check(jax.jit(forces)(params, system, neighbors))
child = os.fork()
if child == 0:
    os._exit(0)  # nothing of ours hangs or breaks in a child that leaves JAX alone
assert os.waitpid(child, 0)[1] == 0
check(jax.jit(forces)(params, system, neighbors))
"""
AGAIN = """
check(jax.jit(forces)(params, system, neighbors))
moved = dataclasses.replace(neighbors, reference_positions=neighbors.reference_positions + 9.0)
again = jax.jit(jaxpot.neighbor_list(5.0).update)(system, moved)
assert int(again.rebuilds) == 1 and not bool(again.overflow)
check(jax.jit(forces)(params, system, again))
"""


def start(code: str, folder: Path | str, without: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "NUMBA_CACHE_DIR": str(folder), **variables}
    environment = {name: value for name, value in environment.items() if name not in without}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code if "import jaxpot" in code else SETUP + code],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_several_devices_forks_and_processes_that_compile_at_once(tmp_path: Path) -> None:
    two = "--xla_force_host_platform_device_count=2"
    both = [start(AGAIN + FORK, tmp_path), start(DEVICES, tmp_path, XLA_FLAGS=two)]
    for process in both:
        end(process)
    end(start(AGAIN, tmp_path, JAX_ENABLE_X64="1"))  # with what the others left in numba's cache


@pytest.mark.slow
def test_first_use_from_several_threads(tmp_path: Path) -> None:
    end(start(SETUP_WITHOUT_LIST + THREADS, tmp_path))


@pytest.mark.slow
def test_without_home_and_with_nowhere_to_write() -> None:
    ways = ["HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"]
    end(start(AGAIN, "", (*ways, "USER", "LOGNAME"), HOME=""))
    end(start(AGAIN, "/dev/null/none", XDG_CACHE_HOME="/dev/null/none"))


@pytest.mark.slow
def test_without_numba() -> None:
    absent = "import sys; sys.modules['numba'] = None; import importlib.util as u; f = u.find_spec\n"
    absent += "u.find_spec = lambda n, *a: None if n == 'numba' else f(n, *a)\n"
    code = absent + SETUP.replace("assert neighbors.plan.native", "assert not neighbors.plan.native")
    code += "check(jax.jit(forces)(params, system, neighbors))\n"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
