"""What the sampling section hands over, draws and says."""

import numpy as np
import pytest

from napari_mritransfer.io import Scan
from napari_mritransfer.physics import masks
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.widgets.examination import Examination
from napari_mritransfer.widgets.mask_view import centre_block, picture
from napari_mritransfer.widgets.sampling_form import SamplingForm
from napari_mritransfer.widgets.sampling_inputs import Direction, SamplingInputs, preview


def scan_of(*, size: tuple[int, int] = (40, 64), phase_axis: int | None = None, dtype: type = np.float32) -> Scan:
    """Two axial slices of (x, y) `size`."""
    voxels = np.random.default_rng(0).uniform(1, 2, (*size, 2)).astype(dtype)
    return Scan.from_file_order(voxels, np.diag([-1.0, -1, 4, 1]), slice_axis=2, phase_axis=phase_axis)


def examined(*, support: tuple[int, int] = (64, 40), **options) -> Examination:
    return Examination(None, None, scan_of(**options), support)


@pytest.fixture
def form(qtbot):
    widget = SamplingForm(0.3)
    qtbot.addWidget(widget)
    return widget


def brightness(widget: SamplingForm) -> np.ndarray:
    """Of the painted picture, (y, x)."""
    image = widget.picture.grab().toImage()
    return np.array([[image.pixelColor(x, y).lightness() for x in range(image.width())] for y in range(image.height())])


def test_the_fields_become_the_sampling_that_the_core_takes():
    inputs = SamplingInputs(
        kind=MaskKind.GAUSSIAN, rate_percent=33.0, acs_percent=7.0, seed=5, direction=Direction.LEFT_RIGHT,
        measured_only=False, add_noise=True, snr_db=25.0,
    )  # fmt: skip
    assert inputs.sampling() == Sampling(
        SamplingPattern(MaskKind.GAUSSIAN, 0.33, 0.07, 5), phase_encode="x", crop_to_support=False, snr_db=25.0,
        noise_seed=5,
    )  # fmt: skip


def test_a_scan_taken_as_measured_carries_no_settings_of_a_simulation():
    inputs = SamplingInputs(add_noise=True, seed=3, direction=Direction.UP_DOWN, as_measured=True)
    assert inputs.sampling() == Sampling(phase_encode="y", as_measured=True)


def test_without_noise_no_snr_is_handed_over():
    assert SamplingInputs(snr_db=10.0).sampling().snr_db is None


def test_the_form_starts_with_the_preferred_rate_and_follows_its_fields(form, qtbot):
    assert form.inputs == SamplingInputs(rate_percent=30.0)
    with qtbot.waitSignal(form.changed, timeout=1000):
        form.fields["rate_percent"].value = 50.0
    form.fields["kind"].value = MaskKind.EQUISPACED
    form.fields["direction"].value = Direction.LEFT_RIGHT
    assert form.inputs == SamplingInputs(MaskKind.EQUISPACED, rate_percent=50.0, direction=Direction.LEFT_RIGHT)


@pytest.mark.parametrize(("phase_axis", "axis", "n_lines"), [(0, "x", 40), (1, "y", 64), (None, "y", 64)])
def test_the_lines_run_along_the_files_phase_encoding_or_y(phase_axis, axis, n_lines):
    lines = preview(SamplingInputs(), examined(phase_axis=phase_axis))
    assert (lines.axis, len(lines.mask.lines), lines.axis_is_assumed) == (axis, n_lines, phase_axis is None)


def test_the_users_direction_goes_before_the_files():
    lines = preview(SamplingInputs(direction=Direction.UP_DOWN), examined(phase_axis=0))
    assert (lines.axis, lines.axis_is_assumed) == ("y", False)


def test_counting_measured_kspace_only_draws_the_lines_of_the_support():
    found = examined(support=(48, 40))
    cropped = preview(SamplingInputs(), found)
    assert len(cropped.mask.lines) == 48
    assert np.array_equal(cropped.mask.lines, masks.make(SamplingPattern(), 48).lines)
    assert any("16 empty lines left out" in line for line in cropped.words())


def test_the_preview_tells_the_same_rates_as_the_measurement_itself():
    """The form imports no torch, so that it counts lines by itself; here both are looked at."""
    import torch

    from napari_mritransfer.physics.undersampling import undersample

    found = examined(support=(48, 40))
    for inputs in (SamplingInputs(), SamplingInputs(measured_only=False, kind=MaskKind.CENTRE, rate_percent=60)):
        sampling = inputs.sampling()
        measurement = undersample(
            torch.from_numpy(found.scan.image), sampling.pattern, support=found.support,
            crop_to_support=sampling.crop_to_support,
        )  # fmt: skip
        lines = preview(inputs, found)
        assert np.array_equal(lines.mask.lines, measurement.mask.lines)
        assert lines.effective_rate == pytest.approx(measurement.effective_rate)
    assert lines.effective_rate > lines.mask.achieved_rate
    assert any(f"{lines.effective_rate:.1%}".replace("%", " %") in line for line in lines.words())


def test_the_words_tell_achieved_and_nominal_rate_and_acceleration(form):
    form.show_scan(examined())
    form.fields["rate_percent"].value = 26.0
    assert "17 of 64 lines measured: 26.6 %" in form.words.text()
    assert "Asked for 26.0 %; 3.8 times faster" in form.words.text()


def test_equispaced_lines_that_miss_the_rate_say_so(form):
    form.show_scan(examined())
    form.fields["kind"].value = MaskKind.EQUISPACED
    form.fields["rate_percent"].value = 77.0
    assert "Equispaced lines keep one whole-number gap" in form.words.text()


def test_a_centre_larger_than_the_rate_is_told_in_place_of_the_rates(form):
    form.show_scan(examined())
    assert form.problem == ""
    form.fields["acs_percent"].value = 40.0
    assert form.problem.startswith("The ACS alone (40.0% of the lines) exceeds")
    assert form.words.text() == form.problem
    assert form.picture.lines is None
    form.fields["acs_percent"].value = 8.0
    assert form.problem == ""
    assert form.picture.lines is not None


def test_before_the_scan_is_known_there_are_no_lines_and_no_rates(form):
    form.show_scan(None, is_pending=True)
    assert form.words.text() == "…"
    assert form.picture.lines is None


def test_only_what_matters_is_asked_for(form):
    form.show_scan(examined())
    form.show()

    def asked() -> set[str]:
        return {field.name for field in form.fields if field.visible}

    usual = {"kind", "rate_percent", "acs_percent", "seed", "direction", "measured_only", "add_noise"}
    assert asked() == usual | {"simulated_coils", "smooth_phase"}
    form.fields["kind"].value = MaskKind.RADIAL
    assert asked() == (usual | {"simulated_coils", "smooth_phase"}) - {"direction"}
    form.fields["kind"].value = MaskKind.CENTRE
    assert not asked() & {"acs_percent", "seed"}
    form.fields["add_noise"].value = True
    assert {"seed", "snr_db"} < asked()


@pytest.mark.parametrize("kind", [kind for kind in MaskKind if kind.is_plane])
def test_samples_of_the_plane_are_drawn_as_they_are_measured_with_what_they_need(form, kind):
    """Those of the measurement itself; nothing is said of a phase-encode axis, of which there are two."""
    found = examined(support=(64, 40))
    form.show_scan(found)
    form.fields["kind"].value = kind
    measurement = form.inputs.sampling().measure(found.scan)
    assert measurement.mask.lines.shape == (64, 40)
    assert np.array_equal(form.picture.lines, measurement.mask.lines)
    told = form.words.text()
    assert "of 2560 samples of the plane measured" in told
    assert "Asked for 30.0 % of the samples" in told
    assert "3-D acquisition" in told
    assert "assumed" not in told


def test_the_effective_rate_of_a_plane_is_told_where_part_of_it_is_empty(form):
    form.show_scan(examined(support=(32, 40)))
    form.fields["kind"].value = MaskKind.RADIAL
    assert "Effective rate" not in form.words.text()
    form.fields["measured_only"].value = False
    inside = form.picture.lines[16:48].mean()
    assert f"Effective rate {100 * inside:.1f} % of the samples that hold signal" in form.words.text()


def test_a_phase_is_simulated_only_where_the_image_has_none(form):
    form.show()
    form.show_scan(examined())
    form.fields["smooth_phase"].value = True
    assert form.inputs.sampling().smooth_phase
    form.show_scan(examined(dtype=np.complex64))
    assert not form.fields["smooth_phase"].visible
    assert not form.inputs.sampling().smooth_phase


def test_taking_the_scan_as_measured_is_offered_for_complex_scans_alone(form):
    form.show()
    form.show_scan(examined())
    assert not form.fields["as_measured"].visible
    form.show_scan(examined(dtype=np.complex64))
    assert form.fields["as_measured"].visible
    form.fields["as_measured"].value = True
    assert {field.name for field in form.fields if field.visible} == {"direction", "as_measured"}
    form.show_scan(examined())
    assert form.inputs == SamplingInputs(rate_percent=30.0)


def test_lines_are_drawn_across_for_y_and_upright_for_x(form):
    form.resize(300, 500)
    form.show_scan(examined())
    form.show()
    across = brightness(form)
    assert (across == across[:, :1]).all()
    assert np.ptp(across[:, 0]) > 100
    form.fields["direction"].value = Direction.LEFT_RIGHT
    upright = brightness(form)
    assert (upright == upright[:1]).all()
    assert np.ptp(upright[0]) > 100


def test_the_picture_shows_every_line_and_marks_the_centre():
    lines = np.array([1, 0, 0, 1, 1, 1, 0, 0, 1], dtype=bool)
    image = picture(lines, "x")
    told = [image.pixelColor(x, 0).getRgb()[:3] for x in range(image.width())]
    bright, dark, orange = (225, 225, 225), (18, 18, 18), (230, 159, 0)
    assert told == [bright, dark, dark, orange, orange, orange, dark, dark, bright]


@pytest.mark.parametrize(
    ("lines", "block"),
    [([1, 1, 1, 1], (0, 4)), ([0, 1, 1, 1, 0], (1, 4)), ([1, 1, 0, 1, 1], (3, 3)), ([0, 0, 1, 1], (2, 4))],
)
def test_the_centre_ends_at_the_first_gap(lines, block):
    found = centre_block(np.array(lines, dtype=bool))
    assert (found.start, found.stop) == block


def test_the_form_answers_within_a_frame(form):
    """50 ms would be felt; a matrix of 512 lines is as large as they come."""
    import time

    form.show_scan(examined(size=(512, 512), support=(512, 512)))
    form.fields["kind"].value = MaskKind.EQUISPACED  # the slowest: it tries every spacing
    seconds = []
    for rate in (20, 21, 22, 23, 24):
        start = time.perf_counter()
        form.fields["rate_percent"].value = rate
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05
