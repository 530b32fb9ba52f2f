"""Electrostatics of charges that belong to the system, to the species, or to another potential of a chain."""
