"""Units and constants.

Inside jaxpot lengths are in Å, energies in eV, masses in amu and charges in e. Files and other programs are converted
when they are read or written, with the factors below. The values follow CODATA 2018 unless a name says otherwise.

The unit of time that follows from eV, Å and amu is ``TIME`` = Å (amu/eV)^(1/2), about 10.18 fs. Velocities inside a
simulation are in Å per ``TIME``.
"""

from __future__ import annotations

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
AVOGADRO = 6.02214076e23  # 1/mol, exact
BOLTZMANN_SI = 1.380649e-23  # J/K, exact
ATOMIC_MASS_SI = 1.66053906660e-27  # kg

BOLTZMANN = BOLTZMANN_SI / ELEMENTARY_CHARGE  # eV/K
HARTREE = 27.211386245988  # eV
BOHR = 0.529177210903  # Å
KCAL_PER_MOL = 4184.0 / AVOGADRO / ELEMENTARY_CHARGE  # eV
KJ_PER_MOL = 1000.0 / AVOGADRO / ELEMENTARY_CHARGE  # eV
TIME = 1e-10 * (ATOMIC_MASS_SI / ELEMENTARY_CHARGE) ** 0.5 * 1e15  # fs per internal unit of time
FEMTOSECOND = 1.0 / TIME  # internal units of time
GPA = 1e9 * 1e-30 / ELEMENTARY_CHARGE  # eV/Å^3
BAR = GPA * 1e-4  # eV/Å^3

# The Coulomb constant e^2 / (4 pi eps0) in eV Å, in each convention; the docstring of a potential says which it uses.
COULOMB = 14.3996454784  # CODATA 2018
COULOMB_LAMMPS_METAL = 14.399645  # of LAMMPS with `units metal`, also in its ZBL
