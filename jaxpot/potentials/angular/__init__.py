"""Potentials of angles and bond orders."""
