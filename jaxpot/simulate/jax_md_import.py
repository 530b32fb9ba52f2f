"""jax-md's integrators without the rest of jax-md.

``import jax_md`` also imports its neural networks, with e3nn, flax, scipy and sympy: some seconds before a run can
start. Its integrators need none of that.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

__all__ = ["jax_md_simulate"]


def jax_md_simulate() -> ModuleType:
    """The module ``jax_md.simulate``, imported without running ``jax_md/__init__.py`` if it has not run yet.

    Returns:
        The module; a later ``import jax_md`` works as ever and shares its submodules.

    Raises:
        ImportError: jax-md is not installed.

    Example:
        >>> hasattr(jax_md_simulate(), "nvt_nose_hoover")
        True
    """
    name = "jax_md.simulate"
    if name in sys.modules or "jax_md" in sys.modules:
        return importlib.import_module(name)
    spec = importlib.util.find_spec("jax_md")
    if spec is None:
        raise ImportError('molecular dynamics needs jax-md; install it with: pip install "jaxpot[md]"')
    # the package as a bare folder, for as long as its submodules look for each other in it
    sys.modules["jax_md"] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(name)
    except (ImportError, AttributeError):  # a version whose integrators need more
        for module in [module for module in sys.modules if module.startswith("jax_md.")]:
            del sys.modules[module]
    finally:
        del sys.modules["jax_md"]
    return importlib.import_module(name)
