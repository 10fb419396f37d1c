"""File > Save of raw scans: every format comes back as it was, and what has no k-space says so."""

import numpy as np
import pytest
from raw_files import raw_samples, write_raw
from scan_files import some_voxels, write_scan

from napari_mritransfer.io import load
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.writer import UnwritableLayer, write_kspace

PLUGIN = "napari-mritransfer"


@pytest.mark.parametrize("ending", [".h5", ".mrd", ".cfl"])
def test_a_scan_is_saved_with_its_kspace(viewer, opened, tmp_path, ending):
    opened(write_raw(tmp_path / "head.cfl"))
    (written,) = viewer.layers.save(str(tmp_path / f"copy{ending}"), plugin=PLUGIN)
    assert written == str(tmp_path / f"copy{ending}")
    np.testing.assert_array_equal(load(written).kspace.array(), load(tmp_path / "head.cfl").kspace.array())


def test_its_image_is_saved_as_nifti(viewer, opened, tmp_path):
    (layer,) = opened(write_raw(tmp_path / "head.cfl"))
    (written,) = viewer.layers.save(str(tmp_path / "copy.nii.gz"), plugin=PLUGIN)
    np.testing.assert_allclose(load(written).image[0], np.asarray(layer.data), rtol=1e-6)


def test_changed_voxels_have_no_kspace_and_say_so(viewer, opened, tmp_path):
    (layer,) = opened(write_raw(tmp_path / "head.cfl"))
    layer.data = np.asarray(layer.data) * 2
    with pytest.raises(UnwritableLayer, match="no k-space"):
        viewer.layers.save(str(tmp_path / "copy.h5"), plugin=PLUGIN)
    assert not (tmp_path / "copy.h5").exists()


def test_images_have_no_kspace_and_say_so(viewer, opened, tmp_path):
    opened(write_scan(tmp_path / "head.nii", some_voxels(6, 5, 4)))
    with pytest.raises(UnwritableLayer, match=r"no k-space.*save it as"):
        viewer.layers.save(str(tmp_path / "copy.cfl"), plugin=PLUGIN)


def test_views_of_kspace_point_to_the_scan_they_belong_to(tmp_path):
    meta = {"name": "head k-space", "metadata": {KEY: {"id": "x", "kind": "kspace", "part": "kspace", "of": "y"}}}
    with pytest.raises(UnwritableLayer, match="select the layer of the scan"):
        write_kspace(str(tmp_path / "copy.h5"), raw_samples().real, meta)


def test_another_name_gets_the_ending_of_fastmri(viewer, opened, tmp_path):
    (layer,) = opened(write_raw(tmp_path / "head.cfl"))
    data, meta, _ = layer.as_layer_data_tuple()
    assert write_kspace(str(tmp_path / "copy"), data, meta) == [str(tmp_path / "copy.h5")]
