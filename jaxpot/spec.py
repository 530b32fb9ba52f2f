"""Specs: the factory and the arguments of a potential as plain data, from which it can be made again.

The factory of a kind of potential is decorated with :func:`potential_kind`. Its arguments become the fields of a frozen
dataclass, the *spec*. A spec is hashable, comparable and plain, so that potentials can be saved, pickled and used as
keys of caches. The decorator registers the factory by its name; nothing else must be done to add a kind.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, ParamSpec, TypeVar

import jax
import numpy as np

__all__ = [
    "LEFT_OUT",
    "Settings",
    "Spec",
    "kind_of",
    "kinds",
    "once_for_each",
    "plain",
    "plain_data",
    "plain_data_type",
    "potential_kind",
]

T = TypeVar("T")
P = ParamSpec("P")
AnyPotential = TypeVar("AnyPotential")  # a Potential, which this module cannot import
_KINDS: dict[str, type[Spec]] = {}
_PLAIN_DATA: dict[str, type] = {}


class NotPlainError(ValueError):
    """A value that is not plain data, such as a function or a potential made of functions."""


class Settings(Mapping[str, Any]):
    """A hashable mapping; the plain form of mappings among the arguments of a factory.

    Args:
        items: the mapping.
    """

    def __init__(self, items: Mapping[Any, Any]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._items == dict(other)

    def __repr__(self) -> str:
        return repr(self._items)


@dataclasses.dataclass(frozen=True)
class Spec:
    """The record of how a potential was made; each kind has a subclass, whose fields are the factory's arguments.

    Attributes:
        file: additional content of a file, such as comments and masses; it has no influence on any number.
    """

    kind: ClassVar[str]
    factory: ClassVar[Callable[..., Any]]

    file: Any = dataclasses.field(default=None, kw_only=True, compare=False, repr=False)

    def arguments(self) -> dict[str, Any]:
        """The factory's arguments by name, as plain data."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "file"}

    def build(self) -> Any:
        """The potential, made again.

        Returns:
            A :class:`jaxpot.Potential` whose spec equals this one.
        """
        factory = type(self).factory
        signature = inspect.signature(factory)
        bound = signature.bind_partial()
        for name, value in self.arguments().items():
            if value is LEFT_OUT:
                continue
            bound.arguments[name] = _built(value)
        potential = factory(*bound.args, **bound.kwargs)
        return potential if self.file is None else potential.with_file(self.file)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self).factory.__module__, type(self).kind, self.arguments(), self.file)


class _LeftOut:
    """Marks an argument that was not given, for which the factory's default is used."""

    def __repr__(self) -> str:
        return "default"

    def __reduce__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT = _LeftOut()


def _unpickled(module: str, kind: str, arguments: dict[str, Any], file: Any) -> Spec:
    importlib.import_module(module)  # which registers the kind
    return kind_of(kind)(**arguments, file=file)


def potential_kind(factory: Callable[P, AnyPotential]) -> Callable[P, AnyPotential]:
    """Decorator of a factory: registers a kind of potential under the factory's name, and gives its potentials a spec.

    Arguments may be numbers, strings, sequences, mappings, arrays, potentials and types marked with :func:`plain_data`.
    A potential made with any other argument, such as a function, can be evaluated, but has no spec and cannot be saved.

    Args:
        factory: ``(arguments) -> Potential``.

    Returns:
        The factory, whose potentials have a ``spec``.

    Raises:
        ValueError: another factory has this name already.

    Example:
        >>> import jaxpot
        >>> potential = jaxpot.lennard_jones(cutoff=8.5)
        >>> potential.spec
        LennardJonesSpec(cutoff=8.5)
        >>> potential.spec.build().cutoff
        8.5
    """
    signature = inspect.signature(factory)
    name = factory.__name__

    @functools.wraps(factory)
    def made(*args: P.args, **named: P.kwargs) -> AnyPotential:
        try:
            bound = signature.bind(*args, **named)
        except TypeError as error:
            raise TypeError(f"{name}: {error}; its arguments are {', '.join(signature.parameters)}") from None
        symbols = bound.arguments.get("elements")
        if isinstance(symbols, str):  # a sequence of letters, which are other elements
            raise ValueError(
                f"{name}: elements is the text {symbols!r}; pass a sequence of symbols, such as [{symbols!r}]"
            )
        for key, value in bound.arguments.items():
            if isinstance(value, Iterator):  # can be iterated only once, but factory and spec both need it
                bound.arguments[key] = tuple(value)
        potential = factory(*bound.args, **bound.kwargs)
        try:
            spec: Spec | None = spec_type(**{key: plain(value) for key, value in bound.arguments.items()})
        except NotPlainError:
            spec = None
        return dataclasses.replace(potential, spec=spec)  # type: ignore[type-var]

    fields = [(p, Any, dataclasses.field(default=LEFT_OUT, kw_only=True)) for p in signature.parameters]
    spec_type = dataclasses.make_dataclass(
        "".join(word.capitalize() for word in name.split("_")) + "Spec",
        fields,
        bases=(Spec,),
        namespace={"kind": name, "factory": staticmethod(made), "__repr__": _shown},
        frozen=True,
        repr=False,
    )
    spec_type.__doc__ = f"How a potential of ``{name}`` was made; see there for the fields."
    spec_type.__module__ = factory.__module__
    known = _KINDS.get(name)
    if known is not None and known.factory.__module__ != factory.__module__:
        raise ValueError(f"a potential called {name!r} is registered already, by {known.factory.__module__}; rename it")
    _KINDS[name] = spec_type
    return made


def _shown(spec: Spec) -> str:
    given = ", ".join(f"{k}={v!r}" for k, v in spec.arguments().items() if v is not LEFT_OUT)
    return f"{type(spec).__name__}({given})"


def kind_of(name: str) -> type[Spec]:
    """The type of the specs of a kind of potential.

    Args:
        name: of the factory.

    Returns:
        The subclass of :class:`Spec`.

    Raises:
        ValueError: no factory of this name is registered.
    """
    if name not in _KINDS:
        raise ValueError(
            f"no kind of potential is called {name!r}; known are {', '.join(sorted(_KINDS))}. "
            "One of your own is registered when the module that defines it is imported: import it first"
        )
    return _KINDS[name]


def kinds() -> tuple[str, ...]:
    """Names of the registered kinds of potentials.

    Returns:
        Names of factories, sorted; those of your own modules are included once they are imported.

    Example:
        >>> import jaxpot
        >>> "lennard_jones" in jaxpot.kinds()
        True
    """
    return tuple(sorted(_KINDS))


def plain_data(cls: type[T]) -> type[T]:
    """Decorator of a frozen dataclass or ``NamedTuple`` with plain fields, which specs and files may hold.

    Args:
        cls: the type, registered by its name.

    Returns:
        The same type.

    Raises:
        ValueError: another type has this name already.
    """
    known = _PLAIN_DATA.get(cls.__name__)
    if known is not None and known.__module__ != cls.__module__:
        raise ValueError(f"plain data called {cls.__name__!r} are registered already, by {known.__module__}")
    _PLAIN_DATA[cls.__name__] = cls
    return cls


def plain_data_type(name: str) -> type:
    """The type of plain data that is registered under a name.

    Args:
        name: of the class.

    Returns:
        The class.

    Raises:
        ValueError: no such type is registered.
    """
    if name not in _PLAIN_DATA:
        raise ValueError(f"no plain data are called {name!r}; import the module that defines them first")
    return _PLAIN_DATA[name]


def plain(value: Any) -> Any:
    """A value as hashable plain data: numbers, strings, tuples, :class:`Settings`, specs, marked types.

    Args:
        value: an argument of a factory.

    Returns:
        Its plain form.

    Raises:
        NotPlainError: (a ValueError) the value is or holds something else, such as a function.
    """
    spec = getattr(value, "spec", LEFT_OUT)  # of a potential
    if isinstance(spec, Spec):
        return spec
    if spec is None:
        raise NotPlainError(f"{value.name} is made of functions, not by a factory that is a potential_kind")
    if value is None or isinstance(value, bool | int | float | str | Spec | _LeftOut):
        return value
    if _PLAIN_DATA.get(type(value).__name__) is type(value):  # not an instance of a subclass, which may hold more
        kind: Any = type(value)
        names = getattr(kind, "_fields", None) or [field.name for field in dataclasses.fields(kind)]
        for name in names:
            plain(getattr(value, name))
        return value
    if isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer):
        return plain(np.asarray(value).tolist())
    if isinstance(value, Mapping):
        return Settings({plain(key): plain(v) for key, v in value.items()})
    if isinstance(value, Sequence):
        return tuple(plain(v) for v in value)
    raise NotPlainError(f"a {type(value).__name__} is not plain data")


def _built(value: Any) -> Any:
    """An argument of a factory from its plain form."""
    if isinstance(value, Spec):
        return value.build()
    if isinstance(value, Settings):
        return {key: _built(v) for key, v in value.items()}
    if type(value) is tuple:
        return tuple(_built(v) for v in value)
    return value


def once_for_each(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """Decorator: caches the result of ``make``, one for all potentials of equal spec.

    For a potential without a spec, the result is stored with the potential itself.

    Args:
        make: ``(potential) -> result``, such as a compiled function.

    Returns:
        The same function with a cache.
    """
    by_spec: dict[Spec, T] = {}

    @functools.wraps(make)
    def found(potential: Any) -> T:
        if potential.spec is not None:
            if potential.spec not in by_spec:
                by_spec[potential.spec] = make(potential)
            return by_spec[potential.spec]
        own = potential.__dict__.setdefault("_made_once", {})
        if make not in own:
            own[make] = make(potential)
        return own[make]

    return found
