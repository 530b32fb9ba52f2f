"""Fitting: losses, data sets, linear and gradient fits."""
