"""Named parameters: checks them and casts them to the dtype of the positions before a formula uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["named_parameters", "within_cutoff"]


def named_parameters(
    owner: str, params: Any, dtype: Any, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, jax.Array]:
    """The parameters of a formula as arrays of one dtype; a missing or misspelt name is an error.

    Args:
        owner: name of the potential, for the message.
        params: mapping from names to numbers or arrays of any dtype.
        dtype: that of the distances, so that the result of a formula has it too.
        required: names that must be there.
        optional: names that may be there.

    Returns:
        A dict in the order of ``required`` and ``optional``.

    Raises:
        ValueError: ``params`` is not a mapping, or its names are not the expected ones.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxpot.numerics.named import named_parameters
        >>> named_parameters("morse", {"D0": 1, "r0": 2.5}, jnp.float32, ["D0", "r0"])["D0"].dtype
        dtype('float32')
    """
    expected = ", ".join(required) + (f" (and optionally {', '.join(optional)})" if optional else "")
    if not isinstance(params, Mapping):
        raise ValueError(f"{owner} takes params as a dict with {expected}; got {type(params).__name__}")
    wrong = [n for n in required if n not in params] + [n for n in params if n not in (*required, *optional)]
    if wrong:
        # jit sorts the keys of a dict, so the message lists the known names in the order of the formula
        known = [n for n in (*required, *optional) if n in params]
        got = [*known, *(str(n) for n in params if n not in known)]
        faults = [
            f"{', '.join(str(n) for n in names)} {'is' if len(names) == 1 else 'are'} {fault}"
            for names, fault in (
                ([n for n in required if n not in params], "missing"),
                ([n for n in params if n not in (*required, *optional)], "unknown"),
            )
            if names
        ]
        raise ValueError(
            f"{owner} takes params with {expected}; got {', '.join(got) or 'none'}: {' and '.join(faults)}"
        )
    return {name: jnp.asarray(params[name], dtype) for name in (*required, *optional) if name in params}


def within_cutoff(owner: str, name: str, value: jax.Array, given: Any, cutoff: float) -> jax.Array:
    """A parameter that is a range of a formula, checked not to exceed the cutoff of the potential.

    The list has no pairs beyond the cutoff, so a larger range would give a wrong energy. Under jit, where the value is
    not known, a range that is too large becomes NaN, and so does the energy; drivers then stop.

    Args:
        owner: name of the potential, for the message.
        name: of the parameter.
        value: the parameter as an array, Å.
        given: the same as the caller gave it, perhaps traced.
        cutoff: of the potential, Å.

    Returns:
        ``value``, NaN where it is larger than ``cutoff``.

    Raises:
        ValueError: the value is known and larger than ``cutoff``.
    """
    limit = cutoff * (1 + 1e-6)  # the same number, rounded to float32, may come out larger
    if not isinstance(given, jax.core.Tracer):
        largest = float(np.max(np.asarray(given)))
        if largest > limit:
            raise ValueError(
                f"{owner}: {name} = {largest:g} Å reaches beyond the cutoff {cutoff:g} Å; build it with a larger cutoff"
            )
    return jnp.where(value <= limit, value, jnp.nan)
