"""Raw k-space and the sampling form: what was left out already, and what may be left out for a test."""

import numpy as np
import pytest
from raw_files import raw_samples, raw_scan, scattered, write_raw

from napari_mritransfer.physics.masks import MaskKind
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.widgets.examination import Examination, examine
from napari_mritransfer.widgets.layers import scan_layers
from napari_mritransfer.widgets.sampling_form import SamplingForm
from napari_mritransfer.widgets.sampling_inputs import SamplingInputs, preview
from napari_mritransfer.widgets.session import session_of

SOON = 60_000  # ms; a worker process starts


def examined(samples: np.ndarray) -> Examination:
    from napari.layers import Image

    ((data, settings, _),) = scan_layers(raw_scan(samples))
    return examine(Image(data, **settings))


def padded() -> np.ndarray:
    """20 of 32 lines along ky were measured."""
    samples = raw_samples()
    samples[..., :6, :] = samples[..., 26:, :] = 0
    return samples


def half() -> np.ndarray:
    """Partial Fourier along kx."""
    samples = raw_samples()
    samples[..., :10] = 0
    return samples


def comb() -> np.ndarray:
    samples = raw_samples()
    samples[..., ::2, :] = 0
    return samples


@pytest.fixture
def form(qtbot):
    widget = SamplingForm(0.3)
    qtbot.addWidget(widget)
    return widget


def offered(form: SamplingForm) -> set[str]:
    form.show()
    return {field.name for field in form.fields if field.visible}


@pytest.mark.parametrize(
    ("samples", "asked"),
    [(comb(), {"direction"}), (scattered(raw_samples())[0], set())],  # scattered samples have no one direction
    ids=["lines", "samples"],
)
def test_what_was_undersampled_when_acquired_is_taken_as_measured(form, samples, asked):
    form.show_scan(examined(samples))
    assert form.inputs.as_measured
    assert offered(form) == {"as_measured", "virtual_coils"} | asked
    assert "undersampled when it was acquired" in form.words.text()
    assert form.problem == ""
    form.fields["as_measured"].value = False
    assert "nothing to leave out" in form.problem


def test_what_was_fully_sampled_is_undersampled_and_not_offered_as_measured(form):
    form.show_scan(examined(scattered(raw_samples())[0]))
    form.show_scan(examined(raw_samples()))
    assert not form.inputs.as_measured
    assert "as_measured" not in offered(form)
    assert {"virtual_coils", "combine_coils", "rate_percent"} < offered(form)


def test_partial_fourier_may_be_taken_either_way(form):
    form.show_scan(examined(half()))
    assert not form.inputs.as_measured
    assert "partial Fourier" in form.words.text()
    form.fields["as_measured"].value = True
    assert form.problem == ""


def test_images_may_be_seen_through_simulated_coils_and_raw_data_may_not(form):
    image = Examination(None, None, raw_scan().with_image(np.ones((1, 5, 32, 28))), (32, 28))
    form.show_scan(image)
    form.fields["simulated_coils"].value = 8
    assert form.inputs.sampling().simulated_coils == 8
    assert not {"virtual_coils", "combine_coils"} & offered(form)
    form.show_scan(examined(raw_samples()))
    assert form.inputs.sampling().simulated_coils == 0
    assert "simulated_coils" not in offered(form)


def test_a_single_coil_has_nothing_to_compress_or_combine(form):
    form.show_scan(examined(raw_samples((1, 3, 1, 24, 20))))
    assert not {"virtual_coils", "combine_coils", "simulated_coils"} & offered(form)


def test_the_choices_on_coils_reach_the_core():
    assert SamplingInputs(virtual_coils=4, combine_coils=True).sampling() == Sampling(
        SamplingInputs().sampling().pattern, virtual_coils=4, combine_coils=True
    )
    assert SamplingInputs(as_measured=True, virtual_coils=4, combine_coils=True).sampling() == Sampling(
        as_measured=True, virtual_coils=4
    )


@pytest.mark.parametrize(
    ("samples", "inputs"),
    [
        (raw_samples(), SamplingInputs()),
        (padded(), SamplingInputs(rate_percent=40)),
        (padded(), SamplingInputs(measured_only=False, kind=MaskKind.EQUISPACED)),
        (half(), SamplingInputs(rate_percent=50)),
        (half(), SamplingInputs(as_measured=True)),
        (comb(), SamplingInputs(as_measured=True)),
        (scattered(raw_samples())[0], SamplingInputs(as_measured=True)),
    ],
    ids=["full", "padded", "padded whole", "partial", "partial as it is", "lines", "samples"],
)
def test_the_preview_shows_what_the_measurement_will_be(samples, inputs):
    """The form imports no torch, so that it counts by itself; here both are looked at."""
    lines = preview(inputs, examined(samples))
    measurement = inputs.sampling().measure(raw_scan(samples))
    np.testing.assert_array_equal(lines.mask.lines, measurement.mask.lines)
    assert lines.axis == measurement.phase_encode
    if inputs.measured_only and not lines.mask.is_plane:
        assert lines.effective_rate == pytest.approx(measurement.effective_rate)


def test_empty_kspace_is_refused_in_a_sentence():
    assert "nothing was measured" in examined(np.zeros((1, 2, 2, 16, 16), dtype=np.complex64)).problem


def test_scattered_samples_become_a_zero_filled_layer_and_their_plane_a_picture(
    qtbot, viewer, opened, opened_dock, tmp_path, ready, run_folder
):
    """The worker is a real process: from the drop of a file to the layer, all defaults."""
    samples, sampled = scattered(raw_samples((1, 2, 3, 32, 28)))
    (source,) = opened(write_raw(tmp_path / "scattered.cfl", samples))
    dock = ready(opened_dock())
    dock.undersample.click()
    qtbot.waitUntil(lambda: "scattered zero-filled" in viewer.layers, timeout=SOON)
    np.testing.assert_allclose(
        viewer.layers["scattered zero-filled"].data, np.asarray(source.data), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_array_equal(dock.form.picture.lines, sampled)
    (measurement,) = session_of(viewer).measurements
    assert (measurement.has_reference, measurement.n_coils) == (False, 3)


def test_the_button_says_what_it_will_do(opened_dock, opened, tmp_path, ready, orders):
    opened(write_raw(tmp_path / "half.cfl", half()))
    dock = ready(opened_dock())
    assert dock.undersample.text() == "Undersample"
    dock.form.fields["as_measured"].value = True
    assert dock.undersample.text() == "Take as measured"
    dock.form.fields["as_measured"].value = False
    assert dock.undersample.text() == "Undersample"


def test_the_zero_filled_image_comes_above_the_views_that_hid_the_scan(
    viewer, opened_dock, opened, tmp_path, ready, ordered
):
    opened(write_raw(tmp_path / "head.cfl"))
    dock = ready(opened_dock())
    dock.kspace.boxes["kspace"].click()
    ordered(dock).answer(np.ones((1, 5, 32, 28)), phase_encode="y")
    assert [layer.name for layer in viewer.layers] == ["head", "head k-space", "head zero-filled 25 %"]
