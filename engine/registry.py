"""Finds nodes and sinks by name: entry points `followspot.nodes` and local plug-in files.

An entry point names a class, or a table {name: "module:Class"} of many. Nothing is imported before it
is used, and whatever fails to import disables itself only, with the reason kept in `broken`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path

from engine.errors import FollowspotError, suggestion
from engine.node import Node
from engine.sink import Sink

GROUP = "followspot.nodes"

Kind = type[Node] | type[Sink]


class Registry:
    """Names of nodes and sinks, imported on first use.

    Attributes
    ----------
    broken : plug-ins that could not be loaded, by name, with the reason.
    """

    def __init__(self, table: Mapping[str, str | Kind]) -> None:
        self._table = dict(table)
        self.broken: dict[str, str] = {}

    @classmethod
    def discover(cls, plugins: Iterable[str] = ()) -> Registry:
        """Everything installed, and the nodes and sinks of local Python files."""
        registry = cls({})
        for entry in entry_points(group=GROUP):
            registry._add_entry(entry.name, entry.value)
        for path in plugins:
            registry.add_file(path)
        return registry

    def _add_entry(self, name: str, value: str) -> None:
        module, _, attribute = value.partition(":")
        if not attribute.isupper():  # a class: imported on first use
            self._table.setdefault(name, value)
            return
        try:
            table = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            self.broken[name] = _reason(error)
            return
        for key, target in table.items():
            self._table.setdefault(key, target)

    def add_file(self, path: str) -> None:
        """Add every node and sink class defined in a Python file, under its name in snake case."""
        file = Path(path)
        if not file.is_file():
            raise FollowspotError(f"plug-in {path}: there is no such file; check the path given to --plugin")
        spec = importlib.util.spec_from_file_location(f"followspot_plugin_{file.stem}", file)
        if spec is None or spec.loader is None:
            raise FollowspotError(f"plug-in {path}: not a Python file; give a .py file to --plugin")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            self.broken[path] = _reason(error)
            return
        classes = [
            item
            for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, Node | Sink) and item.__module__ == spec.name
        ]
        if not classes:
            self.broken[path] = "it defines no Node and no Sink"
        for item in classes:
            self._table[snake_case(item.__name__)] = item

    def names(self) -> list[str]:
        """All names, whether they can be loaded or not."""
        return sorted(self._table)

    def load(self, name: str) -> Kind:
        """The class behind a name, or FollowspotError that says what to do."""
        if name not in self._table:
            for path, reason in self.broken.items():
                if snake_case(Path(path).stem) == name:
                    raise FollowspotError(f"{name}: its plug-in {path} is disabled: {reason}")
            raise FollowspotError(f"there is no node or sink {name!r}; {suggestion(name, self._table)}")
        target = self._table[name]
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            self.broken[name] = _reason(error)
            raise FollowspotError(
                f"{name} is disabled: {target} failed to import: {_reason(error)}"
            ) from None
        if not (isinstance(found, type) and issubclass(found, Node | Sink)):
            self.broken[name] = f"{target} is neither a Node nor a Sink"
            raise FollowspotError(f"{name} is disabled: {self.broken[name]}")
        return found

    def missing(self, name: str) -> list[str]:
        """Optional modules that a node needs and that are not installed."""
        return [module for module in self.load(name).requires if importlib.util.find_spec(module) is None]


def snake_case(name: str) -> str:
    """SpectralFlux -> spectral_flux."""
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
