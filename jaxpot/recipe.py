"""How a potential was made, so that it can be made again."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jaxpot.potential import Potential

__all__ = ["Recipe", "recorded"]


class Recipe(NamedTuple):
    """How a potential was made.

    Attributes:
        factory: its public name, such as ``"lennard_jones"``.
        arguments: by name, as they were given.
    """

    factory: str
    arguments: dict[str, Any]


def recorded(factory: Callable[..., Potential]) -> Callable[..., Potential]:
    """A factory whose potentials keep its name and arguments, so that they can be saved with any params."""
    signature = inspect.signature(factory)

    @functools.wraps(factory)
    def made(*args: Any, **named: Any) -> Potential:
        bound = signature.bind(*args, **named)
        # an iterator can be gone through only once
        for name, value in bound.arguments.items():
            if isinstance(value, Iterator):
                bound.arguments[name] = list(value)
        potential = factory(*bound.args, **bound.kwargs)
        return dataclasses.replace(potential, recipe=Recipe(factory.__name__, dict(bound.arguments)))

    return made
