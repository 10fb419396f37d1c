import itertools

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation, prepare, to_scan_grid
from napari_mritransfer.io import Scan, load, save
from napari_mritransfer.io.errors import BadInput

GRID = Grid(8)
COARSE = Preparation(spacing_mm=8)
SMALL = settings(max_examples=30)
NORMALISATIONS = ("z-score", "z-score-tissue", "percentile")
turns = st.tuples(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))


def head(seed=0):
    """An ellipsoid of uneven brightness on the common grid, air exactly 0."""
    index = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in GRID.shape), indexing="ij"))
    inside = (index**2).sum(axis=0) < 0.6
    values = np.random.default_rng(seed).uniform(300, 500, GRID.shape) * (1 + 0.3 * index[0])
    return (values * inside).astype(np.float32)


def stored(volume, affine, permutation, flips):
    """The same voxels in another order, each where it was in the world."""
    turned = nibabel.orientations.apply_orientation(
        volume, np.array([(permutation[axis], -1 if flips[axis] else 1) for axis in range(3)])
    )
    back = nibabel.orientations.inv_ornt_aff(
        np.array([(permutation[axis], -1 if flips[axis] else 1) for axis in range(3)]), volume.shape
    )
    return Scan.from_file_order(turned, affine @ back, name="head")


def tilted(affine, degrees, about):
    x, y, z = np.array(about) / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    rotation = np.eye(4)
    rotation[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation @ affine


@SMALL
@given(turn=turns, pad=st.tuples(*[st.integers(-2, 3)] * 3))
def test_voxels_on_the_grid_are_copied_bit_for_bit_however_they_are_stored(turn, pad):
    """Also from a larger or smaller box that is off by whole voxels."""
    volume = head()
    widths = [(max(width, 0),) * 2 for width in pad]
    crop = tuple(slice(-width, width) if width < 0 else slice(None) for width in pad)
    affine = GRID.affine
    affine[:3, 3] -= affine[:3, :3] @ pad
    prepared = prepare(stored(np.pad(volume, widths)[crop], affine, *turn), COARSE)
    expected = np.zeros_like(volume)
    expected[crop] = volume[crop]
    np.testing.assert_array_equal(prepared.raw, expected)
    assert any("they were copied" in sentence and "none was interpolated" in sentence for sentence in prepared.said)


@SMALL
@given(turn=turns)
def test_maps_of_a_copied_scan_go_back_bit_for_bit(turn):
    scan = stored(head(), GRID.affine, *turn)
    prepared = prepare(scan, COARSE)
    np.testing.assert_array_equal(to_scan_grid(prepared.raw, prepared), scan.image)


def test_rounding_of_the_affine_to_float32_is_no_reason_to_interpolate(tmp_path):
    nibabel.save(nibabel.Nifti1Image(head(), GRID.affine + np.float32(1e-5)), tmp_path / "a.nii.gz")
    prepared = prepare(tmp_path / "a.nii.gz", COARSE)
    np.testing.assert_array_equal(prepared.raw, head())
    assert "a has 23 x 28 x 23 voxels of 8 x 8 x 8 mm, stored L-A-S." in prepared.said


def field(world):
    return 500 + world @ np.array([0.7, -1.1, 0.4])


@settings(max_examples=15)
@given(
    turn=turns,
    spacing=st.tuples(*[st.sampled_from([4.0, 6.0, 8.0, 11.0])] * 3),
    degrees=st.sampled_from([0.0, 5.0, 30.0]),
    about=st.sampled_from([(1, 0, 0), (0, 1, 0), (1, 2, -1)]),
)
def test_what_is_linear_in_space_stays_so_from_any_voxels(turn, spacing, degrees, about):
    """Linear interpolation is exact on it, and so is the Gaussian: every world position must be met."""
    shape = tuple(int(280 / size) for size in spacing)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing + GRID.centre_mm
    affine = tilted(affine, degrees, about)
    index = np.stack(np.meshgrid(*(range(size) for size in shape), indexing="ij"), axis=-1)
    volume = field(index @ affine[:3, :3].T + affine[:3, 3])
    prepared = prepare(stored(volume, affine, *turn), COARSE)
    grid_index = np.stack(np.meshgrid(*(range(size) for size in GRID.shape), indexing="ij"), axis=-1)
    world = grid_index @ GRID.affine[:3, :3].T + GRID.affine[:3, 3]
    place = (world - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    deep = ((place > 7) & (place < np.array(shape) - 8)).all(axis=-1)  # where no face is felt through the Gaussian
    assert deep.any()
    np.testing.assert_allclose(prepared.raw[deep], field(world)[deep], rtol=2e-5)
    back = to_scan_grid(field(world), prepared)
    inside = (slice(None), *(slice(size // 2 - 2, size // 2 + 2) for size in back.shape[1:]))
    np.testing.assert_allclose(back[inside], prepared.scan_axes.to_scan(stored_order(volume, turn))[inside], rtol=2e-5)


def stored_order(volume, turn):
    permutation, flips = turn
    ornt = np.array([(permutation[axis], -1 if flips[axis] else 1) for axis in range(3)])
    return nibabel.orientations.apply_orientation(volume, ornt)


def test_voxels_finer_than_the_grid_are_averaged_not_skipped():
    """A chequered pattern at 4 mm, of which every second voxel alone would be all bright or all dark."""
    fine = Grid(4)
    volume = np.full(fine.shape, 100, dtype=np.float32) + 50 * (-1.0) ** np.indices(fine.shape).sum(axis=0)
    prepared = prepare(Scan.from_file_order(volume, fine.affine), COARSE)
    inner = prepared.raw[2:-2, 2:-2, 2:-2]
    assert np.abs(inner - 100).max() < 5
    assert any("along i, 6.9 mm along j" in sentence and "Gaussian" in sentence for sentence in prepared.said)


def test_coarse_slices_and_tilt_are_said():
    affine = tilted(np.diag([8.0, 8.0, 24.0, 1.0]), 10, (1, 0, 0))
    affine[:3, 3] = (-90, -120, -70)
    scan = Scan.from_file_order(np.random.default_rng(0).uniform(1, 2, (24, 28, 9)), affine)
    said = " ".join(prepare(scan, COARSE).said)
    assert "voxels of 24 mm are coarser than the grid's: what lies between was not measured" in said
    assert "oblique by 10.0°, and was turned to the grid's axes" in said


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_normalisations_are_what_they_are_called(normalisation):
    scan = Scan.from_file_order(head(), GRID.affine)
    prepared = prepare(scan, Preparation(8, normalisation))
    raw, tissue = prepared.raw.astype(float), prepared.tissue
    expected = {
        "z-score": (raw - raw.mean()) / raw.std(),
        "z-score-tissue": (raw - raw[tissue].mean()) / raw[tissue].std(),
        "percentile": (raw - raw.min()) / (np.quantile(raw, 0.999) - raw.min()),
    }[normalisation]
    assert prepared.array.dtype == np.float32
    np.testing.assert_allclose(prepared.array, expected, atol=1e-5)


@SMALL
@given(
    gain=st.floats(1e-3, 1e3), offset=st.floats(-100, 100), normalisation=st.sampled_from(NORMALISATIONS),
    mask=st.sampled_from(["none", "air"]),
)  # fmt: skip
def test_the_scanners_gain_and_offset_do_not_reach_the_network(gain, offset, normalisation, mask):
    plain, other = (
        prepare(Scan.from_file_order(gain * (head() + a), GRID.affine), Preparation(8, normalisation, mask))
        for gain, a in ((1, -1), (gain, min(-1.0, offset)))
    )
    np.testing.assert_allclose(other.array, plain.array, atol=2e-4)
    np.testing.assert_array_equal(other.tissue, plain.tissue)


def test_the_mask_clears_the_air_and_nothing_inside():
    volume = head()
    hollow = volume.copy()
    hollow[10:13, 12:15, 10:13] = 0  # enclosed: dark, but not air
    noisy = hollow + np.random.default_rng(0).uniform(0, 20, volume.shape).astype(np.float32)
    noisy[0, 0, 0] = 400  # a speck
    prepared = prepare(Scan.from_file_order(noisy, GRID.affine), Preparation(8, mask="air"))
    np.testing.assert_array_equal(prepared.tissue, volume > 0)
    np.testing.assert_array_equal(prepared.raw, np.where(volume > 0, noisy, 0))


@SMALL
@given(shift=st.tuples(*[st.floats(-300, 300)] * 3))
def test_a_centred_head_does_not_depend_on_where_the_table_stood(shift):
    """Up to float32: the affine is read from a file."""
    preparation = Preparation(8, placement="centre")
    affine = tilted(GRID.affine, 5, (1, 0, 0))
    moved = affine.copy()
    moved[:3, 3] += shift
    one, two = (prepare(Scan.from_file_order(head(), one), preparation) for one in (affine, moved))
    np.testing.assert_allclose(one.raw, two.raw, atol=0.01)
    middle = np.argwhere(one.tissue).mean(axis=0)
    np.testing.assert_allclose(middle, (np.array(GRID.shape) - 1) / 2, atol=0.3)
    assert any("nothing was registered" in sentence for sentence in one.said)


def test_a_file_in_template_space_is_not_centred(tmp_path):
    image = nibabel.Nifti1Image(np.roll(head(), 2, axis=0), GRID.affine)
    image.set_sform(GRID.affine, code=4)
    nibabel.save(image, tmp_path / "mni.nii")
    prepared = prepare(tmp_path / "mni.nii", Preparation(8, placement="centre"))
    np.testing.assert_array_equal(prepared.raw, np.roll(head(), 2, axis=0))
    assert "The file says that it is in MNI152 space: it was not centred." in prepared.said


def test_a_file_that_does_not_name_its_sides_is_placed_only_on_request(tmp_path):
    np.save(tmp_path / "a.npy", head())
    scan = load(tmp_path / "a.npy", axes="slice,y,x")
    with pytest.raises(BadInput, match=r"a does not say how it lies in the patient, so it cannot be placed"):
        prepare(scan, COARSE)
    said = prepare(scan, Preparation(8, placement="centre")).said
    assert "Nothing records which side of the patient is which: left and right are a guess." in said


def test_the_first_frame_and_the_magnitude_are_taken_and_said():
    frames = np.stack([head(0) * np.exp(1j * head(1)), head(2) + 0j], axis=-1)
    prepared = prepare(Scan.from_file_order(frames, GRID.affine), COARSE)
    np.testing.assert_allclose(prepared.raw, head(0), rtol=1e-5)
    assert {"It has 2 frames: the first one is used.", "It is complex: its magnitude is used."} < set(prepared.said)


def test_raw_data_is_placed_by_its_own_geometry(tmp_path):
    from heads import write_raw_head

    raw = load(write_raw_head(tmp_path / "raw.h5"))
    prepared = prepare(raw, Preparation(8, placement="centre"))
    assert prepared.tissue.any()
    assert to_scan_grid(prepared.raw, prepared).shape == (1, *raw.image.shape[1:])


def test_a_header_in_metres_is_understood(tmp_path):
    affine = GRID.affine
    affine[:3] /= 1000
    image = nibabel.Nifti1Image(head(), affine)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "a.nii")
    np.testing.assert_array_equal(prepare(tmp_path / "a.nii", COARSE).raw, head())


def test_a_header_whose_voxel_size_is_rounded_keeps_its_affine(tmp_path):
    image = nibabel.Nifti1Image(head(), GRID.affine)
    image.header["pixdim"][1:4] = 7.95
    nibabel.save(image, tmp_path / "a.nii")
    np.testing.assert_array_equal(prepare(tmp_path / "a.nii", COARSE).raw, head())


def test_simulated_files_stay_simulated(tmp_path):
    from dataclasses import replace

    from napari_mritransfer.io import Origin

    scan = replace(Scan.from_file_order(head(), GRID.affine), origin=Origin.SIMULATED)
    save(scan, tmp_path / "a.nii")
    assert prepare(tmp_path / "a.nii", COARSE).simulated
    assert not prepare(replace(scan, origin=Origin.MAGNITUDE), COARSE).simulated


def test_a_scan_that_is_probably_not_aligned_is_told():
    affine = GRID.affine
    affine[2, 3] += 64
    said = " ".join(prepare(Scan.from_file_order(head(), affine, name="x"), COARSE).said)
    assert "lies 64 mm from the grid's: it does not look aligned to the template" in said
    assert "% of its tissue lies beyond the common grid and is cut off." in said


@pytest.mark.parametrize(
    ("volume", "shift", "sentence"),
    [
        (np.zeros(GRID.shape), 0, "x holds one value everywhere, so there is nothing to see"),
        (np.full(GRID.shape, 7), 0, "x holds one value everywhere"),
        (head(), 1000, "Nothing of x lies within the common grid, so it is not aligned to the template; align it, or"),
    ],
)
def test_scans_that_show_nothing_are_refused(volume, shift, sentence):
    affine = GRID.affine
    affine[1, 3] += shift
    with pytest.raises(BadInput, match=sentence):
        prepare(Scan.from_file_order(volume.astype(np.float32), affine, name="x"), COARSE)


def test_the_scan_is_left_as_it_was():
    for normalisation, mask in itertools.product(NORMALISATIONS, ("none", "air")):
        scan = Scan.from_file_order(head(), GRID.affine)
        prepare(scan, Preparation(8, normalisation, mask, "centre"))
        np.testing.assert_array_equal(scan.axes.to_file(scan.image), head())
        np.testing.assert_array_equal(scan.affine, GRID.affine)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"spacing_mm": 0}, "A grid of 0 mm cannot work"),
        ({"normalisation": "zscore"}, "no normalisation 'zscore'; choose one of: z-score, z-score-tissue, percentile"),
        ({"mask": "brain"}, "no mask 'brain'; choose one of: none, air"),
        ({"placement": "left"}, "no placement 'left'; choose one of: world, centre"),
    ],
)
def test_impossible_preparations_are_refused(wrong, sentence):
    with pytest.raises(BadInput, match=sentence):
        Preparation(**wrong)


def test_a_preparation_survives_being_written_down():
    preparation = Preparation(3, "percentile", "air", "centre")
    assert Preparation(**preparation.as_record()) == preparation


def test_maps_of_another_grid_are_refused():
    prepared = prepare(Scan.from_file_order(head(), GRID.affine), COARSE)
    with pytest.raises(ValueError, match=r"The map is \(91, 109, 91\), but the common grid \(23, 28, 23\)"):
        to_scan_grid(np.zeros((91, 109, 91)), prepared)


@pytest.mark.parametrize("how", ["z-scored", "z-scored in the head", "all negative"])
def test_dividing_by_a_mean_that_means_nothing_is_refused(how):
    volume = head()
    if how == "z-scored":
        volume = (volume - volume.mean()) / volume.std() + 0.01
    elif how == "all negative":
        volume = -volume
    else:
        inside = volume > 0
        volume[inside] = (volume[inside] - volume[inside].mean()) / volume[inside].std()
    with pytest.raises(BadInput, match=r"has many negative values|shows no tissue"):
        prepare(Scan.from_file_order(volume, GRID.affine, name="head"), Preparation(8, "mean"))
    noisy = head() + np.random.default_rng(0).normal(0, 5, GRID.shape).astype(np.float32)
    assert prepare(Scan.from_file_order(noisy, GRID.affine, name="head"), Preparation(8, "mean")).array.mean() == (
        pytest.approx(1)
    )
