"""Print the JSON Schema of presets, made from what the nodes declare.

Give it to your editor to complete and check presets as you type (in VS Code with Even Better TOML, put
`#:schema ./followspot.schema.json` in the first line of the preset).
"""

from __future__ import annotations

import argparse
import json

from apps.arguments import add_plugin
from engine.registry import Registry
from engine.schema import preset_schema


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_plugin(parser)


def run(args: argparse.Namespace) -> None:
    print(json.dumps(preset_schema(Registry.discover(args.plugins)), indent=2))
