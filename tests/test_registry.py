"""Finding nodes: whatever is broken disables itself and nothing else."""

from __future__ import annotations

import sys

import pytest

from engine.errors import FollowspotError
from engine.registry import Registry, snake_case
from nodes import CATALOGUE

PLUGIN = "tests/apps_plugin.py"


def test_nothing_is_imported_before_it_is_used(tmp_path, monkeypatch):
    (tmp_path / "lazy_node.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry({"lazy": "lazy_node:Lazy"})
    assert registry.names() == ["lazy"]
    assert "lazy_node" not in sys.modules


def test_discover_finds_the_catalogue():
    assert set(CATALOGUE) <= set(Registry.discover().names())


def test_a_broken_class_is_disabled_with_its_reason(tmp_path, monkeypatch):
    (tmp_path / "bad_node.py").write_text("import there_is_no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry({"bad": "bad_node:Bad", "stft": CATALOGUE["stft"]})
    with pytest.raises(FollowspotError, match=r"bad is disabled.*there_is_no_such_module"):
        registry.load("bad")
    assert "there_is_no_such_module" in registry.broken["bad"]
    assert registry.load("stft").__name__ == "Stft"


def test_what_is_no_node_is_disabled():
    registry = Registry({"path": "pathlib:Path"})
    with pytest.raises(FollowspotError, match="neither a Node nor a Sink"):
        registry.load("path")


def test_a_plugin_file_brings_its_nodes():
    registry = Registry.discover([PLUGIN])
    assert registry.load("ticker").__name__ == "Ticker"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import there_is_no_such_module\n", "there_is_no_such_module"),
        ("def f(:\n", "SyntaxError"),
        ("x = 1\n", "defines no Node and no Sink"),
    ],
)
def test_a_broken_plugin_file_disables_only_itself(tmp_path, text, reason):
    path = tmp_path / "faulty.py"
    path.write_text(text)
    registry = Registry.discover([str(path), PLUGIN])
    assert reason in registry.broken[str(path)]
    assert registry.load("ticker")
    with pytest.raises(FollowspotError, match=r"its plug-in .* is disabled"):
        registry.load("faulty")


def test_a_missing_plugin_file_is_an_error():
    with pytest.raises(FollowspotError, match="no such file"):
        Registry.discover(["nowhere.py"])


def test_an_unknown_name_is_suggested():
    with pytest.raises(FollowspotError, match="did you mean 'novelty'"):
        Registry(CATALOGUE).load("noveltie")


def test_snake_case():
    assert snake_case("SpectralFlux") == "spectral_flux"
