"""The contract that every potential keeps.

`registry.py` lists one example of each potential, or more; `test_contract.py` and `test_slow_checks.py` put each of
them to every check of `jaxpot.testing`. A new potential is one more entry there. The suite runs in float64 with all
other tests, and once more in float32 (without the comparisons with differences, which need the digits) by

    JAXPOT_TEST_FLOAT32=1 python -m pytest tests/contract

`test_broken.py` sees that the checks find what they are for.
"""
