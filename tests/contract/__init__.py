"""The contract that every potential keeps.

`registry.py` lists one example of each potential, or more; every test here runs over all of them. A new potential is
one more entry there. The suite runs in float64 with all other tests, and once more in float32 (without the comparisons
with differences, which need the digits) by

    JAXPOT_TEST_FLOAT32=1 python -m pytest tests/contract

Compiled programs are shared through `bench.py`: all structures of an example are padded to one shape, so that padding
is present everywhere.
"""
