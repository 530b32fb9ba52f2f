"""The checks of the contract that take longest, for another process than that of `test_contract.py`."""

from __future__ import annotations

import pytest

from jaxpot.testing import Check
from tests.contract.registry import Example
from tests.contract.test_contract import assert_passed, cases

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("check", "example"), cases(slow=True))
def test_slow_check(check: Check, example: Example) -> None:
    assert_passed(check, example)
