"""Where the thresholds of the honesty checks come from: every check on every real file, and on doctored copies.

    python scripts/calibrate_honesty.py DATA

DATA is the folder with ``brain_ms/``, ``complex_body/``, ``multicoil_kspace/`` and so on. Prints two Markdown tables:
what every check measured on every file (bold: a concern), and how far the untouched and the doctored stand apart.
"""

import argparse
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.io import loadmat

from napari_mritransfer.honesty import examine
from napari_mritransfer.honesty.centring import HALF_FIELD, LARGEST_OFFSET, border_over_centre
from napari_mritransfer.honesty.extent import CHECK as PADDING
from napari_mritransfer.honesty.extent import OUTER_DB, outer_level_db
from napari_mritransfer.honesty.grey import GREY_LEVELS, ZERO_SHARE, grey_levels, zero_share
from napari_mritransfer.honesty.jpeg import THRESHOLD as JPEG
from napari_mritransfer.honesty.jpeg import blockiness
from napari_mritransfer.honesty.partial import COHERENT, ONE_SIDED, mirror_coherence, one_sided_share
from napari_mritransfer.honesty.sample import Sample
from napari_mritransfer.honesty.symmetry import THRESHOLD as RESIDUAL
from napari_mritransfer.honesty.symmetry import hermitian_residual, without_smooth_phase
from napari_mritransfer.io import Origin, Scan, load
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.centred import inverse_transform, transform

Stack = NDArray[np.generic]
rng = np.random.default_rng(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    scans = list(everything(parser.parse_args().data))
    every_file(scans)
    print()
    separation(scans)


def every_file(scans: list[tuple[str, Scan]]) -> None:
    for number, (name, scan) in enumerate(scans):
        findings = examine(scan)
        if number == 0:
            # raw scans that were undersampled have one check more, at the end
            names = [finding.check for finding in findings][:9]
            print(f"| file | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        cells = []
        for finding in findings[:9]:
            value = finding.verdict if finding.value is None else f"{finding.value:.3g}"
            cells.append(f"**{value}**" if finding.verdict == "concern" else str(value))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def separation(scans: list[tuple[str, Scan]]) -> None:
    samples = [(name, Sample.of(scan)) for name, scan in scans]
    real = [sample for _, sample in samples if sample.has_phase and sample.measured.mean() > 0.5]
    magnitudes = [(name, sample.magnitude) for name, sample in samples if not sample.has_phase]
    stacks = [sample.magnitude for _, sample in samples]
    unmasked = [stack for stack in stacks if zero_share(stack) <= ZERO_SHARE]
    deep = [stack for stack in stacks if grey_levels(stack) > GREY_LEVELS]
    images = [sample.coil_images[:, 0] for sample in real if sample.measured.all()]
    print("| check | untouched, nearest | doctored, nearest | threshold |\n|---|---|---|---|")

    def residual(images: Stack) -> float:
        return float(np.median(hermitian_residual(without_smooth_phase(images))))

    doctored = [residual(painted(stack, degree)) for _, stack in magnitudes for degree in (2, 4)]
    show("simulated k-space", [residual(measured_part(s)) for s in real], doctored, RESIDUAL, above=True)
    untouched = [float(f.value) for name, scan in scans if scan.kspace is None for f in examine(scan)
                 if f.check.startswith(PADDING) and f.verdict == "fine" and f.value is not None]  # fmt: skip
    for factor in (1.25, 1.5, 2.0):
        doctored = [outer(padded(one, factor), axis) for one in images for axis in "yx"]
        show(f"zero-filled, complex, x{factor}", untouched, doctored, OUTER_DB, above=True)
        doctored = [outer(zoomed(stack, factor), axis) for _, stack in magnitudes[-4:] for axis in "yx"]
        show(f"interpolated, cubic, x{factor}", untouched, doctored, OUTER_DB, above=True)
    masked = [zero_share(stack) for stack in stacks if zero_share(stack) > ZERO_SHARE]
    show("masked background", [zero_share(stack) for stack in unmasked], masked, ZERO_SHARE)
    show("8-bit source", [float(grey_levels(s)) for s in deep], [float(grey_levels(eight(s, None))) for s in deep],
         GREY_LEVELS, above=True)  # fmt: skip
    for quality in (50, 75, 90, 95, 98):
        doctored = [ratio for stack in deep if (ratio := blockiness(eight(stack, quality)[:4])) is not None]
        untouched = [ratio for stack in stacks if (ratio := blockiness(stack[:4])) is not None]
        show(f"JPEG, quality {quality}", untouched, doctored, JPEG, above=True)
    powers = [power for sample in real for power in sample.line_power.values()]
    held = [p for p in powers if p[-len(p) // 8 :].any()]  # nothing can be cut off where there is nothing
    for share in (5 / 8, 6 / 8, 7 / 8):
        cut = [one_sided_share(np.where(np.arange(len(p)) < share * len(p), p, 0)) for p in held]
        show(f"partial Fourier, {share:.3g}", [one_sided_share(p) for p in powers], cut, ONE_SIDED)
        filled = [mirror_coherence(mirrored(transform(one), share)) for one in images]
        show(f"filled from the other side, {share:.3g}", [mirror_coherence(transform(one)) for one in images], filled,
             COHERENT)  # fmt: skip
    offsets = [float(abs(int(p.argmax()) - len(p) // 2)) for p in powers]
    show("DC off the centre, by n/2", offsets, [len(power) // 2 - 1.0 for power in powers], LARGEST_OFFSET)
    heads = [stack for name, stack in magnitudes if "brain" in name]
    half = [border_over_centre(np.roll(s, s.shape[axis] // 2, axis), axis) for s in heads for axis in (1, 2)]
    show("half a field of view off (heads)", [border_over_centre(s, axis) for s in stacks for axis in (1, 2)], half,
         HALF_FIELD)  # fmt: skip


def show(what: str, untouched: list[float], doctored: list[float], threshold: float, *, above: bool = False) -> None:
    """One row; `above` where untouched data lie above the threshold."""
    nearest, other = (min(untouched), max(doctored)) if above else (max(untouched), min(doctored))
    found = sum((value < threshold) if above else (value > threshold) for value in doctored)
    found = sum(value <= threshold for value in doctored) if what.startswith("8-bit") else found
    print(f"| {what} | {nearest:.3g} | {other:.3g} ({found} of {len(doctored)} found) | {threshold:g} |", flush=True)


def measured_part(sample: Sample) -> Stack:
    rows, columns = sample.measured.any(axis=1), sample.measured.any(axis=0)
    return inverse_transform(sample.kspace[..., rows, :][..., columns])


def painted(magnitude: Stack, degree: int) -> Stack:
    """A random polynomial phase of some turns."""
    y, x = np.mgrid[-1 : 1 : magnitude.shape[1] * 1j, -1 : 1 : magnitude.shape[2] * 1j]
    terms = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.asarray(magnitude * np.exp(1j * sum(1.5 * rng.normal() * y**i * x**j for i, j in terms)))


def padded(images: Stack, factor: float) -> Stack:
    kspace = transform(images)
    rows, columns = (round(length * factor) for length in kspace.shape[-2:])
    larger = np.zeros((len(kspace), rows, columns), np.complex64)
    top, left = rows // 2 - kspace.shape[1] // 2, columns // 2 - kspace.shape[2] // 2
    larger[:, top : top + kspace.shape[1], left : left + kspace.shape[2]] = kspace
    return inverse_transform(larger)


def zoomed(magnitude: Stack, factor: float) -> Stack:
    return np.asarray(ndimage.zoom(magnitude, (1, factor, factor), order=3))


def outer(images: Stack, axis: str) -> float:
    return outer_level_db(np.sum(np.abs(transform(images)) ** 2, axis=(0, 2 if axis == "y" else 1), dtype=float))


def eight(magnitude: Stack, quality: int | None) -> NDArray[np.float32]:
    """Every slice stretched to 8 bits, through JPEG where a quality is given, and scaled to floats again."""

    def once(plane: Stack) -> Stack:
        top = float(np.quantile(plane, 0.999)) or 1.0
        grey = np.clip(plane / top * 255, 0, 255).astype(np.uint8)
        if quality is None:
            return grey
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    return np.stack([once(plane) for plane in magnitude]).astype(np.float32) * np.float32(0.0137)


def mirrored(kspace: Stack, share: float) -> Stack:
    """The lines beyond `share` of ky from their mirror images."""
    rows, columns = kspace.shape[-2:]
    filled = kspace.copy()
    for row in range(int(share * rows), rows):
        for column in range(columns):
            filled[:, row, column] = kspace[:, -row % rows, (2 * (columns // 2) - column) % columns].conj()
    return filled


def everything(data: Path) -> Iterator[tuple[str, Scan]]:
    coils = data / "multicoil_kspace"
    yield "sigpy_cartesian_ksp", raw(np.load(coils / "sigpy_cartesian_ksp.npy"))
    yield "bart_pics_brain_ksp", raw(cfl(coils / "bart_pics_brain_ksp").transpose(2, 0, 1))
    yield "brain_alias_8ch", raw(loadmat(coils / "brain_alias_8ch.mat")["DATA"].transpose(2, 0, 1))
    for name in ("PKdata9", "PKdataset17"):
        matlab = loadmat(data / "complex_body" / f"{name}.mat", squeeze_me=True, struct_as_record=False)
        yield name, combined(matlab["data"].images.transpose(2, 0, 1)[:, None])
    yield "bart_pics_brain_img", combined(cfl(coils / "bart_pics_brain_img")[..., 0][None, None])
    for path in sorted(data.glob("brain_ms/*/*.nii.gz")):
        yield f"brain {path.parent.name} {path.name[:-7]}", load(path)
    yield "spine_t2star", load(data / "spine_t2star" / "sct_t2s_uncropped.nii.gz")
    cine = np.load(data / "cardiac_sunnybrook" / "sunnybrook_403.npz", allow_pickle=False)
    frames = next(cine[name] for name in cine if cine[name].ndim == 3)
    yield "cardiac_sunnybrook", Scan.from_image(frames[None].astype(np.float32))
    yield "brain studyforrest", Scan.from_image(dicom(data / "brain_t1_studyforrest" / "dicoms.tar.xz")[None])
    yield "knee_mese, first echo", Scan.from_image(dicom(data / "knee_mese" / "MESE_T2_dicom_data_anon.tar.xz")[None])


def raw(kspace: Stack) -> Scan:
    return Scan.from_kspace(KSpace.from_array(kspace[None, None].astype(np.complex64)))


def combined(image: Stack) -> Scan:
    return Scan.from_image(np.ascontiguousarray(image, dtype=np.complex64), origin=Origin.COIL_COMBINED)


def cfl(stem: Path) -> Stack:
    lengths = [int(length) for length in stem.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(stem.with_suffix(".cfl"), np.complex64).reshape(lengths, order="F").squeeze()


def dicom(archive: Path) -> NDArray[np.float32]:
    """``(slice, y, x)`` of the first echo of a series."""
    import pydicom

    planes: list[tuple[float, int, Stack]] = []
    with tarfile.open(archive) as members:
        for member in members:
            stream = members.extractfile(member) if member.isfile() else None
            if stream is None:
                continue
            try:
                found = pydicom.dcmread(io.BytesIO(stream.read()))
            except pydicom.errors.InvalidDicomError:
                continue
            planes.append((float(found.get("EchoTime", 0)), int(found.InstanceNumber), found.pixel_array))
    first = min(echo for echo, *_ in planes)
    chosen = sorted(((number, plane) for echo, number, plane in planes if echo == first), key=lambda one: one[0])
    return np.stack([plane for _, plane in chosen]).astype(np.float32)


if __name__ == "__main__":
    main()
