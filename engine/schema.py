"""The JSON Schema of presets, made from the declarations, for completion and checks in editors."""

from __future__ import annotations

from typing import Any

from engine.errors import FollowspotError
from engine.node import Node
from engine.params import Param, params_of
from engine.preset import EngineTable, InputTable
from engine.registry import Registry

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def preset_schema(registry: Registry) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that knows every node and sink that can be loaded."""
    nodes: list[dict[str, Any]] = []
    sinks: list[dict[str, Any]] = []
    for name in registry.names():
        try:
            kind = registry.load(name)
        except FollowspotError:
            continue  # a broken plug-in has no parameters to complete
        (nodes if issubclass(kind, Node) else sinks).append(_thing(name, kind))
    for sink in sinks:
        sink["properties"]["from"] = {
            "type": ["string", "array"],
            "items": {"type": "string"},
            "description": "what it gets, each node.port",
        }
    inherited = {  # a table that changes one of the preset it extends may leave its type out
        "type": "object",
        "not": {"required": ["type"]},
        "description": "changes to the table of the same name in the preset that this one extends",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Followspot preset",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "preset": {"const": 1},
            "name": {"type": "string"},
            "description": {"type": "string"},
            "extends": {"type": "string"},
            "wires": {"type": "array", "items": {"type": "string", "pattern": "->"}},
            "engine": _table(params_of(EngineTable)),
            "input": _table(params_of(InputTable), channels={"type": ["string", "array"]}),
            "nodes": {"type": "object", "additionalProperties": {"oneOf": [*nodes, inherited]}},
            "sinks": {"type": "object", "additionalProperties": {"oneOf": [*sinks, inherited]}},
            "controls": {
                "type": "object",
                "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
            },
        },
    }


def _thing(name: str, kind: type) -> dict[str, Any]:
    table = _table(params_of(kind), type={"const": name})
    table["required"] = ["type"]
    table["description"] = (kind.__doc__ or "").strip().split("\n")[0]
    return table


def _table(params: dict[str, Param[Any]], **more: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _param(param) for name, param in params.items()} | more
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _param(param: Param[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[param.kind], "default": param.default}
    unit = f" ({param.unit})" if param.unit else ""
    schema["description"] = f"{param.help}{unit}"
    if param.low is not None:
        schema["minimum"] = param.low
    if param.high is not None:
        schema["maximum"] = param.high
    if param.choices:
        schema["enum"] = list(param.choices)
    return schema
