import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from napari_mritransfer.training.config import Loss
from napari_mritransfer.training.losses import loss_value, ssim


def complex_images(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(3, 7, 7), (2, 16, 21), (1, 33, 8)])
def test_ssim_is_scikit_images(shape):
    target = complex_images(*shape).abs()
    image = (target + 0.3 * complex_images(*shape, seed=1).abs()).requires_grad_()
    expected = [
        structural_similarity(t.numpy(), i.detach().numpy(), data_range=float(t.max()))
        for t, i in zip(target, image, strict=True)
    ]
    value = ssim(image, target)
    assert float(value.detach()) == pytest.approx(np.mean(expected), abs=1e-5)
    value.backward()
    assert image.grad.isfinite().all()


def test_losses_of_a_constant_error_are_the_textbooks():
    target = complex_images(2, 9, 8)
    image = target + (0.3 - 0.4j)
    assert float(loss_value(Loss.L1, image, target)) == pytest.approx(0.35, rel=1e-5)
    assert float(loss_value(Loss.MSE, image, target)) == pytest.approx((0.09 + 0.16) / 2, rel=1e-5)
    both = float(loss_value(Loss.L1_SSIM, image, target))
    assert both == pytest.approx(0.35 + 1 - float(ssim(image.abs(), target.abs())), rel=1e-5)


@pytest.mark.parametrize("kind", Loss)
def test_a_perfect_image_costs_nothing_and_has_a_gradient(kind):
    target = complex_images(2, 12, 12)
    image = target.clone().requires_grad_()
    value = loss_value(kind, image, target)
    assert float(value.detach()) == pytest.approx(0, abs=1e-6)
    value.backward()
    assert torch.view_as_real(image.grad).isfinite().all()


@pytest.mark.parametrize("kind", Loss)
def test_air_gives_no_nan(kind):
    image = torch.zeros(1, 12, 12, dtype=torch.complex64, requires_grad=True)
    value = loss_value(kind, image, torch.zeros_like(image))
    value.backward()
    assert value.isfinite()
    assert torch.view_as_real(image.grad).isfinite().all()


@pytest.mark.parametrize("kind", Loss)
def test_the_loss_of_a_batch_is_the_mean_of_its_examples(kind):
    """Several devices share a batch: their losses, weighted by their shares, must be the loss of the whole."""
    image, target = complex_images(5, 12, 10), complex_images(5, 12, 10, seed=1)
    parts = 2 / 5 * loss_value(kind, image[:2], target[:2]) + 3 / 5 * loss_value(kind, image[2:], target[2:])
    assert float(parts) == pytest.approx(float(loss_value(kind, image, target)), rel=1e-5)
