"""``python -m jaxpot``, the program ``jaxpot``."""

from jaxpot.cli import main

main()
