"""Restart files: the complete state of a run, written atomically, exact in every bit, and without pickle."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpot.io.folders import write_atomically
from jaxpot.neighbors import Neighbors, blank
from jaxpot.neighbors.plan import Plan
from jaxpot.simulate.dynamics import Carry
from jaxpot.simulate.state import MDState
from jaxpot.simulate.watch import Looks

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Restart", "RestartError", "load_restart", "save_restart"]

FORMAT = 2
PREFIX = "state.neighbors."


class RestartError(ValueError):
    """A restart file that cannot be used; the message names the file."""


def save_restart(path: Path, carry: Carry, atoms: Atoms, facts: dict[str, Any]) -> None:
    """Writes everything that the next step depends on. The file is replaced atomically.

    Args:
        path: the file, a numpy ``.npz``.
        carry: the data of the time loop.
        atoms: the structure that the run began with: its elements, masses, periodicity and cell are saved.
        facts: further data for JSON, which :func:`load_restart` returns.
    """
    arrays: dict[str, Any] = {name: np.asarray(leaf) for name, leaf in _named(_kept(carry)).items()}
    arrays |= {
        "atoms.numbers": atoms.numbers,
        "atoms.masses": atoms.get_masses(),
        "atoms.pbc": atoms.pbc,
        "atoms.cell": atoms.cell.array,
    }
    plan = None if carry.state.neighbors is None else carry.state.neighbors.plan._asdict()
    header = json.dumps({"format": FORMAT, "plan": plan, "facts": facts})
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(header), **arrays)
    write_atomically(path, buffer.getvalue())


class Restart(NamedTuple):
    """A restart file that has been read.

    Attributes:
        path: path of the file.
        arrays: everything in it, by name.
        plan: plan of the neighbour list, None where there is none.
        facts: the facts given to :func:`save_restart`.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    plan: dict[str, Any] | None
    facts: dict[str, Any]

    @property
    def atoms(self) -> Atoms:
        """The structure that the run began with, without its positions."""
        from ase import Atoms

        numbers, masses, pbc, cell = (self.arrays[f"atoms.{name}"] for name in ("numbers", "masses", "pbc", "cell"))
        return Atoms(numbers, positions=np.zeros((len(numbers), 3)), masses=masses, pbc=pbc, cell=cell)

    def carry(self, shapes: Callable[[Any], Carry]) -> Carry:
        """The state of the run, bit for bit; the watch has looked at it.

        Args:
            shapes: gives the shapes and types of a state for a list; ``Dynamics.shapes`` with params and system bound.

        Returns:
            The state.

        Raises:
            RestartError: it does not belong to this simulation.
        """
        neighbors = None if self.plan is None else _neighbors(self.plan, self.arrays)
        template = _kept(shapes(neighbors))
        wanted = _named(template)
        for name, leaf in wanted.items():
            found = self.arrays.get(name)
            if found is None or found.shape != leaf.shape or found.dtype != leaf.dtype:
                there = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
                raise RestartError(
                    f"{self.path}: {name} should be {leaf.dtype} {list(leaf.shape)} but is {there}; "
                    "resume with the settings that the run was started with"
                )
        leaves = [jnp.asarray(self.arrays[name]) for name in wanted]
        kept = jax.tree.unflatten(jax.tree.structure(template), leaves)
        state: MDState = kept["state"]
        looks = Looks.none_since(state.step, state.velocities.dtype)
        return Carry(state, kept["moved"], jnp.zeros((), jnp.int32), looks)


def load_restart(path: Path) -> Restart:
    """A restart file.

    Args:
        path: the file.

    Returns:
        What is in it.

    Raises:
        RestartError: the file is missing, cut off, or not a restart file of this version.
    """
    if not path.exists():
        raise RestartError(f"{path}: no restart file here; start the run without --resume")
    try:
        # opened here, because np.load leaves the file open where it is no zip
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop("header")))
        version, plan, facts = header["format"], header["plan"], header["facts"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        what = " ".join(str(error).split())
        raise RestartError(f"{path}: not a complete restart file ({what}); start the run anew with --force") from error
    if version != FORMAT:
        raise RestartError(f"{path}: written by another version of jaxpot (format {version}, here {FORMAT})")
    return Restart(path, arrays, plan, facts)


def _kept(carry: Carry) -> dict[str, MDState]:
    return {"state": carry.state, "moved": carry.moved}


def _named(tree: Any) -> dict[str, Any]:
    """Leaves by the path to them, such as ``state.position``."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _neighbors(plan: dict[str, Any], arrays: dict[str, np.ndarray]) -> Neighbors:
    """The list with a plan; its arrays are put in later, by their names."""
    return blank(Plan.of(plan), arrays[f"{PREFIX}reference_positions"].dtype)
