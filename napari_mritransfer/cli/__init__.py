"""The command line: parses, calls, prints. ``mritransfer --help`` lists the commands."""

from napari_mritransfer.cli.app import main

__all__ = ["main"]
