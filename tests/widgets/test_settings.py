"""Preferences: what the user set, and what holds where nothing is set."""

from dataclasses import replace
from pathlib import Path

import pytest
from napari.settings import get_plugin_settings
from pydantic import ValidationError

from napari_mritransfer.widgets import settings
from napari_mritransfer.widgets.settings import Preferences, preferences

DEFAULTS = Preferences("auto", Path.home() / "mritransfer-runs", 0.25, "radiological")


@pytest.fixture
def stored():
    """The plugin's settings; put back as they were, because napari keeps them for the session."""
    general = get_plugin_settings("napari-mritransfer").general
    before = general.model_dump()
    yield general
    for key, value in before.items():
        setattr(general, key, value)


@pytest.mark.usefixtures("stored")
def test_preferences_start_with_the_manifests_defaults():
    assert preferences() == DEFAULTS


def test_preferences_follow_what_the_user_sets(stored, tmp_path):
    stored.device = " cpu "
    stored.run_folder = str(tmp_path)
    stored.default_rate = 0.4
    stored.view = "neurological"
    assert preferences() == Preferences("cpu", tmp_path, 0.4, "neurological")


def test_a_home_folder_may_be_written_with_a_tilde(stored):
    stored.run_folder = "~/runs"
    assert preferences() == replace(DEFAULTS, run_folder=Path.home() / "runs")


def test_nonsense_is_refused_when_it_is_set(stored):
    with pytest.raises(ValidationError):
        stored.default_rate = 2
    with pytest.raises(ValidationError):
        stored.view = "upside down"
    assert preferences() == DEFAULTS


def test_defaults_hold_where_napari_does_not_know_the_plugin(monkeypatch):
    def unknown(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(settings, "get_plugin_settings", unknown)
    assert preferences() == DEFAULTS
