"""Properties of crystals: equation of state, elastic constants, defects and vibrations."""

from jaxpot.properties.cubic import Crystal, Cubic, cubic_crystal
from jaxpot.properties.defects import vacancy_formation_energy
from jaxpot.properties.elasticity import elastic_constants
from jaxpot.properties.equation_of_state import EquationOfState, equation_of_state
from jaxpot.properties.relaxed import relaxed
from jaxpot.properties.vibrations import phonon_frequencies

__all__ = [
    "Crystal",
    "Cubic",
    "EquationOfState",
    "cubic_crystal",
    "elastic_constants",
    "equation_of_state",
    "phonon_frequencies",
    "relaxed",
    "vacancy_formation_energy",
]
