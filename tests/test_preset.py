"""Presets: merging, overriding, and every fault with its line and its mend."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from engine.errors import FollowspotError
from engine.plan import compile_graph
from engine.preset import Preset, load_preset, preset_names
from engine.registry import Registry
from engine.schema import preset_schema
from nodes import CATALOGUE

REGISTRY = Registry(CATALOGUE)

ONSETS = """\
preset = 1
name = "onsets"
wires = ["input -> stft", "stft.magnitude -> novelty"]

[nodes.stft]
type = "stft"
window = 1024
hop = 512

[nodes.novelty]
type = "novelty"
average = 0.3
"""


def load(folder: Path, text: str, *overrides: str) -> Preset:
    path = folder / "preset.toml"
    path.write_text(text)
    return load_preset(str(path), REGISTRY, overrides)


def faults(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(FollowspotError) as fault:
        load(folder, text, *overrides)
    return str(fault.value)


def test_reads_what_is_written(tmp_path):
    preset = load(tmp_path, ONSETS)
    assert preset.name == "onsets"
    assert preset.nodes["novelty"][1] == {"average": 0.3}
    assert ("stft.magnitude", "novelty") in preset.wires
    assert (preset.rate, preset.quantum, preset.channels) == (44100, 256, "mix")
    assert compile_graph(preset.build()).nodes["novelty"].average == 0.3


def test_extends_merges_tables_and_adds_wires(tmp_path):
    (tmp_path / "base.toml").write_text(ONSETS)
    child = """\
extends = "base.toml"
name = "child"
wires = ["stft.magnitude -> bands"]
[engine]
quantum = 128
[nodes.novelty]
compression = 50.0
[nodes.bands]
type = "bands"
"""
    preset = load(tmp_path, child)
    assert preset.name == "child"
    assert preset.quantum == 128
    assert preset.nodes["novelty"][1] == {"average": 0.3, "compression": 50.0}
    assert len(preset.wires) == 3
    assert set(preset.nodes) == {"stft", "novelty", "bands"}


def test_another_type_starts_its_table_afresh(tmp_path):
    (tmp_path / "base.toml").write_text(ONSETS)
    child = 'extends = "base.toml"\n[nodes.novelty]\ntype = "bands"\n'
    kind, params = load(tmp_path, child).nodes["novelty"]
    assert kind.__name__ == "Bands"
    assert params == {}


def test_a_preset_that_extends_itself_says_so(tmp_path):
    (tmp_path / "preset.toml").write_text("")
    assert "it extends itself" in faults(tmp_path, 'extends = "preset.toml"\n')


def test_overrides_are_applied_last(tmp_path):
    preset = load(
        tmp_path,
        ONSETS,
        "novelty.average=0.7",
        "engine.quantum=64",
        "input.channels=[2,1]",
        "input.device=usb",
    )
    assert preset.nodes["novelty"][1]["average"] == 0.7
    assert preset.quantum == 64
    assert preset.channels == (2, 1)
    assert preset.device == "usb"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("novelty.averag=1", "did you mean 'average'?"),
        ("noveltie.average=1", "did you mean 'novelty'?"),
        ("novelty.average", "write node.param=value"),
        ("novelty.average=soon", "allowed: 0 to 5 s"),
        ("novelty.average=99", "allowed: 0 to 5 s"),
    ],
)
def test_bad_overrides(tmp_path, override, words):
    text = faults(tmp_path, ONSETS, override)
    assert f"--set {override}" in text
    assert words in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name = "onsets"', 'nam = "onsets"'), "line 2: nam: unknown key (did you mean 'name'?)"),
        (("average = 0.3", "averege = 0.3"), "line 12: nodes.novelty.averege: unknown key (did you mean"),
        (("average = 0.3", "average = 50"), "line 12: nodes.novelty.average: average = 50.0 is out of range"),
        (("average = 0.3", 'average = "long"'), "is not a number"),
        (('type = "novelty"', 'type = "noveltie"'), "line 11: nodes.novelty.type: there is no node or sink"),
        (('type = "novelty"', 'type = "osc"'), "osc belongs under [sinks.NAME]"),
        (('type = "novelty"\n', ""), "nodes.novelty.type: is missing"),
        (("preset = 1", "preset = 2"), "version 2 is unknown"),
        (("[nodes.stft]", "[nodes.Stft]"), "is no name for a node"),
        (('"input -> stft"', '"input stft"'), "is no wire"),
        (("preset = 1", "preset = "), "not valid TOML"),
        (("window = 1024", '[sinks.out]\ntype = "osc"'), "sinks.out.from: is missing"),
        (("window = 1024", '[controls]\n"novelty.avarage" = "osc:/a"'), "has no live parameter 'avarage'"),
        (("window = 1024", '[controls]\n"novelty.compression" = "knob 3"'), "write osc:/address"),
        (("window = 1024", '[input]\nchannels = "left"'), "input.channels: 'left' is neither"),
    ],
)
def test_faults_name_line_reason_and_mend(tmp_path, change, words):
    assert ONSETS.replace(*change) != ONSETS
    assert words in faults(tmp_path, ONSETS.replace(*change))


def test_all_faults_are_told_together(tmp_path):
    text = (
        ONSETS.replace("window = 1024", "windo = 1")
        .replace("average = 0.3", "average = 9")
        .replace("name", "nom")
    )
    assert len(faults(tmp_path, text).splitlines()) == 3


def test_a_missing_preset_is_suggested(monkeypatch, tmp_path):
    monkeypatch.setattr("engine.preset.PRESETS", tmp_path)
    (tmp_path / "beats.toml").write_text(ONSETS)
    with pytest.raises(FollowspotError, match="did you mean 'beats'"):
        load_preset("beets", REGISTRY)


#: What these presets must be told first, and the words that say so.
TEMPLATES = {
    **dict.fromkeys(("follow", "follow_cues", "follow_midi", "minus_one"), "set reference"),
    "mosaic": "set source",
    "identify": "followspot library add",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_say_what_they_need(name):
    with pytest.raises(FollowspotError, match=TEMPLATES[name]):
        compile_graph(load_preset(name, REGISTRY).build())


@pytest.mark.parametrize("name", [name for name in preset_names() if name not in TEMPLATES])
def test_presets_that_come_along_compile(name):
    preset = load_preset(name, REGISTRY)
    for kind, _ in [*preset.nodes.values(), *preset.sinks.values()]:
        for module in kind.requires:
            pytest.importorskip(module)
    plan = compile_graph(preset.build())
    plan.release()
    assert plan.nodes


def test_schema_takes_good_presets_and_refuses_bad_ones(tmp_path):
    import tomllib

    schema = json.loads(json.dumps(preset_schema(REGISTRY)))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(tomllib.loads(ONSETS))
    for old, new in (
        ("average", "averege"),
        ("0.3", "99.0"),
        ('"novelty"\n', '"noveltie"\n'),
        ("name", "nam"),
    ):
        assert not validator.is_valid(tomllib.loads(ONSETS.replace(old, new))), new
    for name in preset_names():
        preset = tomllib.loads((Path(__file__).parent.parent / "presets" / f"{name}.toml").read_text())
        problems = [error.message for error in validator.iter_errors(preset)]
        assert not problems, f"{name}: {problems}"
