"""Ensembles and calibrated uncertainties."""
