"""ASE, jax-md and LAMMPS."""
