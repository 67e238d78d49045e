"""What the docs show works as it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apps.cli import VERBS, main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.S)


def test_the_node_of_the_docs_conforms(tmp_path, capsys):
    path = tmp_path / "flux.py"
    path.write_text(blocks("docs/nodes.md", "python")[0])
    assert main(["check-node", f"{path}:SpectralFlux"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("page", ["docs/presets.md", "docs/lighting_programs.md"])
def test_the_preset_of_the_docs_is_sound(tmp_path, capsys, page):
    pytest.importorskip("aubio")
    path = tmp_path / "show.toml"
    path.write_text(blocks(page, "toml")[0])
    assert main(["check", str(path)]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_that_is_shown_exists(page):
    shown = set(re.findall(r"followspot ([a-z][a-z-]+)", page.read_text()))
    assert shown <= set(VERBS), f"{page.name} shows {shown - set(VERBS)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
