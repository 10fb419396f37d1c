"""Three simulated sites: contrast, resolution, shading, noise and brightness of scanners, which know no label."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.io.errors import BadInput

_FWHM = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True, slots=True)
class Site:
    """What scanners at a site have in common; each scan differs from it a little.

    Attributes
    ----------
    contrast
        Exponent of the curve that tissues are shown by: above 1, grey matter and fluid are darker against white matter.
    fat
        Slope of the curve above the brightness of white matter.
    blur_mm
        Full width at half maximum of the blur along i, j, k.
    shading
        Standard deviation of the logarithm of the bias field.
    noise
        Of each of the two channels, relative to white matter.
    white_matter
        Its stored value.
    """

    contrast: float
    fat: float
    blur_mm: tuple[float, float, float]
    shading: float
    noise: float
    white_matter: float


SITES = {
    "A": Site(contrast=1.0, fat=0.9, blur_mm=(0.0, 0.0, 0.0), shading=0.06, noise=0.015, white_matter=400),
    "B": Site(contrast=1.25, fat=0.7, blur_mm=(1.2, 1.2, 3.5), shading=0.10, noise=0.020, white_matter=250),
    "C": Site(contrast=0.85, fat=0.6, blur_mm=(2.2, 2.2, 2.2), shading=0.14, noise=0.035, white_matter=600),
}
"""A: thin slices and little noise; B: thick axial slices and strong contrast; C: low resolution, shading, noise."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """The settings of one scan: those of its site, each moved a little by chance.

    Attributes
    ----------
    site
        Where.
    values
        As in `Site`.
    bias
        ``(27,)`` weights of the bias field's polynomial.
    """

    site: str
    values: Site
    bias: tuple[float, ...]

    def as_record(self) -> dict[str, Any]:
        """Plain JSON, without the polynomial."""
        return {key: _rounded(value) for key, value in asdict(self.values).items()}


def draw_scanner(site: str, rng: np.random.Generator) -> Scanner:
    """The settings of one scan at a site.

    Raises
    ------
    BadInput
        If there is no such site.
    """
    if site not in SITES:
        raise BadInput(f"There is no simulated site '{site}'; choose one of {', '.join(SITES)}.")
    mean = SITES[site]
    contrast, fat, blur, shading, noise, white = 1 + rng.uniform(-1, 1, 6) * (0.12, 0.15, 0.2, 0.4, 0.3, 0.3)
    i, j, k = (float(width * blur) for width in mean.blur_mm)
    values = Site(
        contrast=float(mean.contrast * contrast),
        fat=float(mean.fat * fat),
        blur_mm=(i, j, k),
        shading=float(mean.shading * shading),
        noise=float(mean.noise * noise),
        white_matter=float(mean.white_matter * white),
    )
    return Scanner(site, values, tuple(rng.standard_normal(27).tolist()))


def scan(
    image: NDArray[np.float32], scanner: Scanner, spacing_mm: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """See a head through a scanner.

    Parameters
    ----------
    image
        ``(i, j, k)``, white matter about 1, not negative.
    scanner
        Whose contrast, resolution, shading and noise.
    spacing_mm
        Edges of a voxel.
    rng
        For the noise.

    Returns
    -------
    scanned
        ``(i, j, k)`` float32, white matter about `Site.white_matter`; noise is Rician, in air too.
    """
    values = scanner.values
    seen = np.where(image < 1, np.minimum(image, 1) ** np.float32(values.contrast), 1 + (image - 1) * values.fat)
    seen = np.asarray(seen, dtype=np.float32)
    for axis, (width, spacing) in enumerate(zip(values.blur_mm, spacing_mm, strict=True)):
        if width:
            seen = ndimage.gaussian_filter1d(seen, width / _FWHM / spacing, axis=axis)
    seen *= bias_field(image.shape, scanner)
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32)
    noise *= np.float32(values.noise)
    seen += noise[0]
    return np.asarray(np.sqrt(seen**2 + noise[1] ** 2) * np.float32(values.white_matter), dtype=np.float32)


def bias_field(shape: tuple[int, ...], scanner: Scanner) -> NDArray[np.float32]:
    """``(i, j, k)`` factors about 1: the exponential of a polynomial of degree 2 in each coordinate."""
    weights = np.array(scanner.bias, dtype=np.float32).reshape(3, 3, 3)
    weights[0, 0, 0] = 0
    # Legendre polynomials are orthogonal, so that the logarithm's variance is the sum of the terms'
    terms = [np.polynomial.legendre.legvander(np.linspace(-1, 1, size), 2).astype(np.float32) for size in shape]
    variance = 1 / (2 * np.arange(3) + 1)
    power = np.einsum("abc,a,b,c->", weights**2, variance, variance, variance)
    field = np.einsum("ck,abc->abk", terms[2].T, weights, optimize=True)
    field = np.einsum("ia,jb,abk->ijk", terms[0], terms[1], field, optimize=True)
    return np.asarray(np.exp(field * np.float32(scanner.values.shading / np.sqrt(power))), dtype=np.float32)


def _rounded(value: Any) -> Any:
    return [round(one, 4) for one in value] if isinstance(value, tuple) else round(value, 4)
