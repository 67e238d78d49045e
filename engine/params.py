"""Parameters, declared on the class: the declaration validates, documents and makes the preset schema."""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar, cast, overload

from engine.errors import suggestion

T = TypeVar("T", bound=bool | int | float | str)


class Param(Generic[T]):
    """A parameter of a node or a sink.

    Parameters
    ----------
    default : its default; the type of the default is the type of the parameter.
    low, high : the range, both ends allowed (None: open).
    unit : "Hz", "BPM", "ms", "samples", "dB", ... or "" for a plain number.
    live : it may change while the graph runs, at the edge of a quantum; otherwise only before the start.
    momentary : setting it is an act, like pressing a button: the same value acts again, nothing undoes it,
        and a restart does not repeat it.
    choices : the allowed values of a string parameter.
    help : one line for people.
    """

    def __init__(
        self,
        default: T,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
        live: bool = False,
        momentary: bool = False,
        choices: tuple[str, ...] = (),
        help: str = "",
    ) -> None:
        self.default = default
        self.low = low
        self.high = high
        self.unit = unit
        self.live = live
        self.momentary = momentary
        self.choices = choices
        self.help = help
        self.name = ""

    @property
    def kind(self) -> Any:
        """bool, int, float or str."""
        return type(self.default)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Param[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Param[T] | T:
        if instance is None:
            return self
        return instance.__dict__.get(self.name, self.default)  # type: ignore[no-any-return]

    def __set__(self, instance: object, value: T) -> None:
        instance.__dict__[self.name] = self.check(value)

    def check(self, value: Any) -> T:
        """`value` as the parameter's type, or a ValueError that says what is wrong and what is allowed."""
        kind = self.kind
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ValueError(f"{self.name} = {value!r} is not {_NAMES[kind]}; {self.range_text}")
        if kind is float and not math.isfinite(value):
            raise ValueError(f"{self.name} = {value!r} is not finite; {self.range_text}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} = {value!r} is unknown; {suggestion(value, self.choices)}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueError(f"{self.name} = {value!r} is out of range; {self.range_text}")
        return cast(T, value)

    def parse(self, text: str) -> T:
        """The value written as `text` on a command line."""
        kind = self.kind
        if kind is str:
            return self.check(text)
        words = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
        if kind is bool:
            return self.check(words.get(text.lower(), text))
        try:
            return self.check(float(text))
        except ValueError:
            raise ValueError(f"{self.name} = {text!r}: {self.range_text}") from None

    @property
    def range_text(self) -> str:
        """What is allowed, for people."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        unit = f" {self.unit}" if self.unit else ""
        if self.low is None and self.high is None:
            return f"give {_NAMES[self.kind]}{unit and ' in' + unit}"
        low = "-inf" if self.low is None else f"{self.low:g}"
        high = "inf" if self.high is None else f"{self.high:g}"
        return f"allowed: {low} to {high}{unit}"


class Moment(Param[float]):
    """A button. Its value is the stream time in seconds at which it was pressed; -1: when this arrives."""

    def __init__(self, *, help: str) -> None:
        super().__init__(-1.0, low=-1.0, unit="s", live=True, momentary=True, help=help)


_NAMES: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


def params_of(owner: type) -> dict[str, Param[Any]]:
    """All parameters declared on a class and its bases, in the order of declaration."""
    found: dict[str, Param[Any]] = {}
    for base in reversed(owner.__mro__):
        found.update({name: item for name, item in vars(base).items() if isinstance(item, Param)})
    return found


class Parametric:
    """Base of everything that has parameters: takes them by keyword and validates each."""

    def __init__(self, **values: Any) -> None:
        known = params_of(type(self))
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"there is no parameter {name!r}; {suggestion(name, known)}")
            setattr(self, name, value)

    def param_values(self) -> dict[str, Any]:
        """Every parameter with its value now."""
        return {name: getattr(self, name) for name in params_of(type(self))}

    def __repr__(self) -> str:
        known = params_of(type(self))
        given = (f"{k}={v!r}" for k, v in self.param_values().items() if v != known[k].default)
        return f"{type(self).__name__}({', '.join(given)})"
