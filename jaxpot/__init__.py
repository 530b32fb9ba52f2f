"""jaxpot: interatomic potentials in JAX, as pure functions of parameters and positions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jaxpot import extras
from jaxpot.batch import Batch, Result, batch, evaluate, pad_neighbors
from jaxpot.composition import chain, scale
from jaxpot.derived import (
    atomic_energies,
    energy,
    energy_and_forces,
    energy_forces_and_stress,
    forces,
    hessian,
    stress,
    virial,
)
from jaxpot.descriptors import Descriptor, descriptor
from jaxpot.engine import (
    DescriptorPotential,
    DesignRows,
    Environment,
    Graph,
    PairSpecies,
    angular_potential,
    descriptor_potential,
    environment_potential,
    graph_potential,
    pair_potential,
    radial_potential,
)
from jaxpot.errors import JaxpotError, UnusableListError
from jaxpot.evaluation import Evaluation, Functions, Outputs, Prepared
from jaxpot.heads import DesignHead, ElementHead, FlaxHead, Head, LinearHead, NetworkHead
from jaxpot.interop.calculator import calculator
from jaxpot.io.errors import FileFormatError
from jaxpot.io.mmff94 import MolecularModel, mmff94
from jaxpot.neighbors import NeighborList, Neighbors, neighbor_list
from jaxpot.parameters import PublishedSet, available, published
from jaxpot.potential import Potential, add, prepare
from jaxpot.potentials.adp import adp
from jaxpot.potentials.angular.edip import edip
from jaxpot.potentials.angular.meam import meam
from jaxpot.potentials.angular.stillinger_weber import stillinger_weber
from jaxpot.potentials.angular.tersoff import tersoff
from jaxpot.potentials.angular.tersoff_mod import tersoff_mod
from jaxpot.potentials.angular.vashishta import vashishta
from jaxpot.potentials.buckingham import buckingham
from jaxpot.potentials.committee import committee
from jaxpot.potentials.dtnn import dtnn
from jaxpot.potentials.eam import eam
from jaxpot.potentials.electrostatics.coulomb_cut import coulomb_cut
from jaxpot.potentials.electrostatics.coulomb_debye import coulomb_debye
from jaxpot.potentials.electrostatics.coulomb_dsf import coulomb_dsf
from jaxpot.potentials.electrostatics.coulomb_wolf import coulomb_wolf
from jaxpot.potentials.electrostatics.ewald import ewald
from jaxpot.potentials.electrostatics.fixed_charges import fixed_charges
from jaxpot.potentials.electrostatics.reaction_field import reaction_field
from jaxpot.potentials.finnis_sinclair import finnis_sinclair
from jaxpot.potentials.hdnnp import hdnnp
from jaxpot.potentials.lennard_jones import lennard_jones, lennard_jones_mixing
from jaxpot.potentials.morse import morse
from jaxpot.potentials.schnet import schnet
from jaxpot.potentials.snap import snap
from jaxpot.potentials.sutton_chen import sutton_chen, sutton_chen_mixing
from jaxpot.potentials.wang_frenkel import wang_frenkel
from jaxpot.potentials.zbl import zbl
from jaxpot.spec import Spec, kinds, plain_data, potential_kind
from jaxpot.system import System, stack_systems

if TYPE_CHECKING:
    from jaxpot import simulate as simulate
    from jaxpot.io.load import load, save
    from jaxpot.simulate.conformers import Relaxation, relax_conformers
    from jaxpot.simulate.relaxation import Relaxed, relax

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Descriptor",
    "DescriptorPotential",
    "DesignHead",
    "DesignRows",
    "ElementHead",
    "Environment",
    "Evaluation",
    "FileFormatError",
    "FlaxHead",
    "Functions",
    "Graph",
    "Head",
    "JaxpotError",
    "LinearHead",
    "MolecularModel",
    "NeighborList",
    "Neighbors",
    "NetworkHead",
    "Outputs",
    "PairSpecies",
    "Potential",
    "Prepared",
    "PublishedSet",
    "Relaxation",
    "Relaxed",
    "Result",
    "Spec",
    "System",
    "UnusableListError",
    "add",
    "adp",
    "angular_potential",
    "atomic_energies",
    "available",
    "batch",
    "buckingham",
    "calculator",
    "chain",
    "committee",
    "coulomb_cut",
    "coulomb_debye",
    "coulomb_dsf",
    "coulomb_wolf",
    "descriptor",
    "descriptor_potential",
    "dtnn",
    "eam",
    "edip",
    "energy",
    "energy_and_forces",
    "energy_forces_and_stress",
    "environment_potential",
    "evaluate",
    "ewald",
    "extras",
    "finnis_sinclair",
    "fixed_charges",
    "forces",
    "graph_potential",
    "hdnnp",
    "hessian",
    "kinds",
    "lennard_jones",
    "lennard_jones_mixing",
    "load",
    "meam",
    "mmff94",
    "morse",
    "neighbor_list",
    "pad_neighbors",
    "pair_potential",
    "plain_data",
    "potential_kind",
    "prepare",
    "published",
    "radial_potential",
    "reaction_field",
    "relax",
    "relax_conformers",
    "save",
    "scale",
    "schnet",
    "snap",
    "stack_systems",
    "stillinger_weber",
    "stress",
    "sutton_chen",
    "sutton_chen_mixing",
    "tersoff",
    "tersoff_mod",
    "vashishta",
    "virial",
    "wang_frenkel",
    "zbl",
]

# Imported at their first use, so that a script that runs nothing starts sooner.
_LATER = {
    "load": "jaxpot.io.load",
    "save": "jaxpot.io.load",
    "Relaxation": "jaxpot.simulate.conformers",
    "Relaxed": "jaxpot.simulate.relaxation",
    "relax": "jaxpot.simulate.relaxation",
    "relax_conformers": "jaxpot.simulate.conformers",
    "simulate": "jaxpot.simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_LATER[name])
    return module if name == "simulate" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
