import pytest

from napari_mritransfer.io.atomic import replacing, write_bytes, write_text


def test_an_interrupted_write_leaves_the_old_file_and_no_debris(tmp_path):
    path = tmp_path / "model.nii.gz"
    write_text(path, "old")

    def interrupted():
        with replacing(path) as temporary:
            assert temporary.parent == tmp_path
            assert temporary.name.endswith(".nii.gz")
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_utf8_and_bytes_are_bytes(tmp_path):
    write_text(tmp_path / "a.txt", "3.2°\n")
    assert (tmp_path / "a.txt").read_bytes() == b"3.2\xc2\xb0\n"
    write_bytes(tmp_path / "a.txt", b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == b"\x00\xff"


def test_a_link_stays_a_link(tmp_path):
    write_text(tmp_path / "target.txt", "old")
    link = tmp_path / "link.txt"
    try:
        link.symlink_to(tmp_path / "target.txt")
    except OSError:
        pytest.skip("links need a privilege here")
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "target.txt").read_text() == "new"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist; create it"):
        write_text(tmp_path / "nowhere" / "a.txt", "")


def test_the_longest_names_work(tmp_path):
    path = tmp_path / ("n" * 248 + ".nii.gz")
    write_bytes(path, b"1")
    assert path.read_bytes() == b"1"
