"""Connections to ASE, jax-md and LAMMPS."""
