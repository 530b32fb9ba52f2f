"""Properties of crystals: equation of state, elastic constants, defects, surfaces and vibrations."""

from jaxpot.properties.cubic import Crystal, Cubic, cubic_crystal
from jaxpot.properties.defects import vacancy_formation_energy
from jaxpot.properties.elasticity import ElasticModuli, elastic_constants, elastic_moduli, youngs_modulus
from jaxpot.properties.equation_of_state import EquationOfState, equation_of_state
from jaxpot.properties.relaxed import relaxed
from jaxpot.properties.surfaces import Surface, conventional_cell, surface_energies, usual_surfaces
from jaxpot.properties.vibrations import Bands, phonon_bands, phonon_frequencies

__all__ = [
    "Bands",
    "Crystal",
    "Cubic",
    "ElasticModuli",
    "EquationOfState",
    "Surface",
    "conventional_cell",
    "cubic_crystal",
    "elastic_constants",
    "elastic_moduli",
    "equation_of_state",
    "phonon_bands",
    "phonon_frequencies",
    "relaxed",
    "surface_energies",
    "usual_surfaces",
    "vacancy_formation_energy",
    "youngs_modulus",
]
