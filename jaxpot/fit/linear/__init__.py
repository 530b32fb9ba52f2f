"""Linear least squares for every potential that is linear in its coefficients."""

from jaxpot.fit.linear.factor import Factor
from jaxpot.fit.linear.fitting import LinearFit, fit_linear
from jaxpot.fit.linear.rows import LinearProblem, linear_problem
from jaxpot.fit.linear.solvers import (
    Solution,
    Stack,
    automatic_relevance,
    bayesian_ridge,
    elastic_net,
    lasso,
    least_squares,
    penalised,
    ridge,
)
from jaxpot.fit.linear.weights import Validation, Weights, choose_weights

__all__ = [
    "Factor",
    "LinearFit",
    "LinearProblem",
    "Solution",
    "Stack",
    "Validation",
    "Weights",
    "automatic_relevance",
    "bayesian_ridge",
    "choose_weights",
    "elastic_net",
    "fit_linear",
    "lasso",
    "least_squares",
    "linear_problem",
    "penalised",
    "ridge",
]
