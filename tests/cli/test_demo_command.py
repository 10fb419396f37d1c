"""Where the demonstration ends: in napari if there is a screen, in files if there is none."""

import subprocess

import pytest
from typer.testing import CliRunner

from napari_mritransfer.cli import jobs
from napari_mritransfer.cli.app import app
from napari_mritransfer.study import demo


@pytest.fixture
def started(monkeypatch):
    """The demonstration itself is stopped at once; what is started afterwards is collected."""
    commands = []

    def run(command, check):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(jobs.subprocess, "run", run)
    monkeypatch.setattr(jobs, "answer", lambda as_json, found: None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jobs.sys, "platform", "linux")
    return commands


def run_demo(*options):
    result = CliRunner().invoke(app, ["demo", "--out", "there", *options])
    assert result.exit_code == 0, result.output


def test_with_a_screen_it_ends_in_napari(started, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    run_demo()
    ((_python, *command),) = started
    assert command == ["-P", "-m", "napari_mritransfer.widgets.demo_viewer", "there"]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_without_a_screen_it_ends_in_files(started, options):
    run_demo(*options)
    assert not started


@pytest.mark.parametrize("options", [("--no-viewer",), ("--json",)])
def test_the_viewer_can_be_left_out(started, monkeypatch, options):
    monkeypatch.setenv("DISPLAY", ":0")
    run_demo(*options)
    assert not started


def test_without_napari_it_ends_in_files(started, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(jobs, "find_spec", lambda name: None)
    run_demo()
    assert not started


def test_the_viewers_module_is_where_it_is_looked_for():
    assert jobs.find_spec("napari_mritransfer.widgets.demo_viewer") is not None
    assert demo.STRATEGIES == ("ft", "lft"), "the viewer shows the curves of these"
