"""``python -m napari_mritransfer …`` is ``mritransfer …``."""

from napari_mritransfer.cli import main

if __name__ == "__main__":
    main()
