"""``python -m jaxpot.cli``."""

from jaxpot.cli import main

main()
