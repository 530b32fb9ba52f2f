"""The contract that every potential keeps, for tests of potentials of your own.

:func:`validate` runs all checks on one potential. Needs nothing but jaxpot's own dependencies.
"""

from jaxpot.testing.bench import Bench
from jaxpot.testing.contract import checks
from jaxpot.testing.findings import Finding
from jaxpot.testing.suite import Check, Outcome, run
from jaxpot.testing.validation import ContractError, Report, validate

__all__ = ["Bench", "Check", "ContractError", "Finding", "Outcome", "Report", "checks", "run", "validate"]
