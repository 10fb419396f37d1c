"""What the training of slice-set networks leaves: weights beside an optimiser, scores and steps."""

import os

import numpy as np
import pytest
import torch
from foreign_files import Harm, as_on_a_gpu, both_formats, refusal, rewritten, saved

from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.zoo.weights import load_file, read_weights


def network():
    torch.manual_seed(0)
    return SliceSet(grid=(91, 12, 12), widths=(2, 3), features=5, code=4)


def checkpoint(best=3.25, step=4_000):
    """After one step, as the published training loop saves it: the network is kept in an attribute ``net``."""
    trained = network()
    optimiser = torch.optim.Adam(trained.parameters(), lr=1e-4, weight_decay=1e-4)
    trained(torch.randn(2, 1, 91, 12, 12)).prediction.sum().backward()
    optimiser.step()
    weights = {f"net.{name}": tensor for name, tensor in trained.state_dict().items()}
    return {
        "model": weights, "optimizer": optimiser.state_dict(), "epoch": 7, "step": step, "best_criteria": best,
        "best_epoch": 5,
    }  # fmt: skip


SCORES = {
    "float": 3.25,
    "tensor": torch.tensor(3.25),
    "float64": np.float64(3.25),
    "float32": np.float32(3.25),
    "longdouble": np.longdouble(3.25),
    "bool": np.bool_(True),
}


@both_formats
@pytest.mark.parametrize("best", SCORES.values(), ids=SCORES.keys())
@pytest.mark.parametrize("step", [4_000, np.int64(4_000)], ids=["int", "int64"])
@pytest.mark.parametrize("release", [1, 2], ids=["NumPy 1", "NumPy 2"])
def test_training_checkpoints_give_their_weights_alone(tmp_path, best, step, release, archive):
    content = checkpoint(best, step)
    path = saved(tmp_path / "best_model.pt", content, archive)
    has_numpy = isinstance(best, np.generic) or isinstance(step, np.generic)
    if release == 1 and has_numpy:
        rewritten(path, lambda content: content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    state, metadata = read_weights(path)
    assert state.keys() == network().state_dict().keys()
    assert all(torch.equal(tensor, content["model"][f"net.{name}"]) for name, tensor in state.items())
    assert metadata["dropped"] == "[]"
    loaded, _ = load_file(path, grid=[91, 12, 12])
    assert loaded.encoder_2d.position_encoder.position_encoding.shape == (1, 5, 91, 1, 1)


@both_formats
@pytest.mark.parametrize("storage", [b"torch", b"torch.cuda"], ids=["new", "old"])
def test_training_checkpoints_from_a_gpu(tmp_path, archive, storage):
    content = checkpoint(np.float64(3.25))
    path = saved(tmp_path / "gpu.pt", content, archive)
    rewritten(path, lambda content: as_on_a_gpu(content, storage))
    state, _ = read_weights(path)
    assert all(torch.equal(tensor, content["model"][f"net.{name}"]) for name, tensor in state.items())
    assert {tensor.device.type for tensor in state.values()} == {"cpu"}


@both_formats
def test_a_training_checkpoint_that_means_harm_is_refused_by_name(tmp_path, archive):
    marker = tmp_path / "harmed"
    for place in ("optimizer", "best_criteria"):
        path = saved(tmp_path / "harm.pt", {**checkpoint(), place: Harm(os.system, f"touch {marker}")}, archive)
        assert "harm.pt would run 'posix.system'" in refusal(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", [b"numpy._core.multiarray\nfromfile", b"numpy\nload", b"numpy.core.multiarray\n_reconstruct"]
)
def test_no_more_of_numpy_is_let_in_than_the_numbers(tmp_path, name):
    path = saved(tmp_path / "harm.pt", checkpoint(np.float64(3.25)))
    rewritten(path, lambda content: content.replace(b"numpy._core.multiarray\nscalar", name))
    assert f"would run '{name.decode().replace(chr(10), '.')}'" in refusal(path)


def test_numpy_itself_is_never_called(tmp_path, monkeypatch):
    """A number of NumPy may hold any bytes: nobody looks at them."""
    path = saved(tmp_path / "odd.pt", checkpoint(np.float64(3.25)))
    rewritten(path, lambda content: content.replace(b"X\x02\x00\x00\x00f8", b"X\x02\x00\x00\x00??"))
    assert read_weights(path)[0].keys() == network().state_dict().keys()


@pytest.mark.parametrize(
    ("text", "encoding"), [("a" * 10_000_000, "latin1"), ("abc", "utf-32"), ("abc", "bz2_codec"), ("abc", "idna")]
)
@both_formats
def test_text_is_encoded_for_numbers_only(tmp_path, text, encoding, archive):
    """The loader would really encode it, as often as a file says so, and some encodings unfold to any size."""
    import codecs

    path = saved(tmp_path / "text.pt", {**checkpoint(), "best_criteria": Harm(codecs.encode, text, encoding)}, archive)
    assert "is no whole PyTorch checkpoint" in refusal(path)
