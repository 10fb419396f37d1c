"""Runs a golden document: builds its network, fills weights and inputs by the formulas in its text, returns outputs.

A document is the JSON of one network, described in docs/published-networks.md. Another network joins with one entry in
`FAMILIES`. The formulas are read, not transcribed, so that documents with other constants need nothing new.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from formulas import Values, assignments, evaluate
from torch import Tensor, nn

from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.networks.istanet import ISTANetPlus, real_part_measured
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.networks.slice_positions import SLICINGS
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.networks.unet import UNet
from napari_mritransfer.networks.varnet import VarNet


@dataclass(frozen=True)
class Family:
    """How to build a network from `config`, and what to hand over and collect: (network, inputs, names, config)."""

    build: Callable[[dict[str, Any]], nn.Module]
    outputs: Callable[[Any, dict[str, Tensor], list[str], dict[str, Any]], dict[str, Tensor]]


def run(document: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    """Outputs by name, those that the document lists, in its order."""
    return run_network(document, network_of(document), dtype)


def run_network(document: dict[str, Any], network: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """The same for a network that a test has changed on purpose; the document's weights are filled in here."""
    network.load_state_dict(weights_of(document, network.state_dict()), strict=True)
    network.to(dtype).eval()
    with torch.no_grad():
        collect = _family(document).outputs
        found = collect(network, inputs_of(document, dtype), list(document["outputs"]), document["config"])
    return {name: found[name] for name in document["outputs"]}


def network_of(document: dict[str, Any]) -> nn.Module:
    """With fresh weights."""
    return _family(document).build(document["config"])


def _family(document: dict[str, Any]) -> Family:
    symbol = document["upstream"]["symbol"]
    for name, family in FAMILIES.items():
        if name in symbol:
            return family
    raise ValueError(f"No network here is called '{symbol}'; add it to FAMILIES.")


# --- the networks ------------------------------------------------------------------------------------------------


def _unet_outputs(network: UNet, inputs: dict[str, Tensor], *_: object) -> dict[str, Tensor]:
    return {"out": network.refine(inputs["x"])}


def _varnet_outputs(
    network: VarNet, inputs: dict[str, Tensor], names: list[str], config: dict[str, Any]
) -> dict[str, Tensor]:
    kspace, mask = torch.view_as_complex(inputs["masked_kspace"]), inputs["mask"][..., 0]
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: seen.update({name: torch.view_as_real(output)})

    listening = [network.sens_net.register_forward_hook(keep("sens_maps"))]
    for index, cascade in enumerate(network.cascades):
        listening.append(cascade.register_forward_hook(keep(f"kspace_after_cascade_{index}")))
    outputs = {"out": network.from_kspace(kspace, mask, config.get("num_low_frequencies"))}
    for listener in listening:  # intermediate results are those of 'out'
        listener.remove()
    for name in names:
        if asked := re.fullmatch(r"out_num_low_frequencies_(\d+)", name):
            outputs[name] = network.from_kspace(kspace, mask, int(asked[1]))
    return outputs | seen


def _istanet_outputs(network: ISTANetPlus, inputs: dict[str, Tensor], *_: object) -> dict[str, Tensor]:
    mask = inputs["mask"][..., 0]
    zero_filled = real_part_measured(inputs["x"], mask)
    image, residuals = network.unfold(zero_filled, mask)
    numbered = {f"symmetry_residual_{index}": residual for index, residual in enumerate(residuals)}
    return {"zero_filled": zero_filled, "out": image, **numbered}


def _slice_set(config: dict[str, Any]) -> SliceSet:
    encoder = config.get("encoder_2d", "encoder1")
    return SliceSet(
        "conv5" if encoder == "encoder1" else encoder,
        config.get("agg_fn", "attention"),
        "learned" if config.get("use_position_encoding", False) else "off",
        SLICINGS[config.get("slice_dim", 1) - 1],
        code=config.get("attn_dim", 32),
        heads=config.get("attn_num_heads", 1),
        output_layer=config.get("output_layer", True),  # the program of 2021 has none
        outputs=config.get("outputs", 1),
        dropout=0.5 if config.get("attn_drop", False) else 0.0,
    )


def _slice_set_outputs(network: SliceSet, inputs: dict[str, Tensor], *_: object) -> dict[str, Tensor]:
    found = network(inputs["x"])
    outputs = {"out": found.prediction, "embedding": found.embedding}
    if found.attention is not None:
        heads_outermost = found.attention.transpose(0, 1).flatten(0, 1)[:, None]
        outputs["attention_per_slice"] = heads_outermost
    return outputs


def _sfcn_outputs(network: SFCN, inputs: dict[str, Tensor], *_: object) -> dict[str, Tensor]:
    features = network.features(inputs["x"])
    outputs = network.head(features)
    expected = torch.from_numpy(Bins().expected(outputs.numpy())) if outputs.shape[1] == Bins().count else None
    as_published = {"out": outputs[..., None, None, None], "pooled_features": features[..., None, None, None]}
    return as_published | ({} if expected is None else {"expected_age": expected.to(outputs.dtype)})


# what a `config` leaves out is as in the authors' programs
FAMILIES: dict[str, Family] = {
    "models.Unet": Family(
        lambda c: UNet(
            c.get("chans", 32), c.get("num_pool_layers", 4), in_chans=c["in_chans"], out_chans=c["out_chans"],
            drop_prob=c.get("drop_prob", 0.0),
        ),
        _unet_outputs,
    ),
    "models.VarNet": Family(
        lambda c: VarNet(
            c.get("num_cascades", 12), c.get("chans", 18), c.get("pools", 4), c.get("sens_chans", 8),
            c.get("sens_pools", 4), mask_center=c.get("mask_center", True),
        ),
        _varnet_outputs,
    ),
    "ISTANetplus": Family(lambda c: ISTANetPlus(c["LayerNo"]), _istanet_outputs),
    "MRI2DSlice": Family(_slice_set, _slice_set_outputs),
    "sfcn.SFCN": Family(
        lambda c: SFCN(c["channel_number"], c["output_dim"], dropout=0.5 if c.get("dropout", True) else 0.0),
        _sfcn_outputs,
    ),
}  # fmt: skip

# --- weights -----------------------------------------------------------------------------------------------------

# What a rule of the recipe's text begins with, and the tensors it is for; the first that fits wins.
Rule = tuple[str, Callable[[list[str], tuple[int, ...]], bool]]
_SCALARS = {"lambda_step", "soft_thr", "dc_weight"}
RULES: dict[str, list[Rule]] = {
    "A": [
        ("num_batches_tracked", lambda name, shape: name[-1] == "num_batches_tracked"),
        ("Last name part lambda_step", lambda name, shape: name[-1] in _SCALARS),
        ("running_var", lambda name, shape: name[-1] == "running_var"),
        ("Last name part 'weight' and 1-D", lambda name, shape: name[-1] == "weight" and len(shape) == 1),
        ("ndim >= 2", lambda name, shape: len(shape) >= 2),
        ("All else", lambda name, shape: True),
    ],
    "B": [
        ("num_batches_tracked", lambda name, shape: name[-1] == "num_batches_tracked"),
        ("running_var", lambda name, shape: name[-1] == "running_var"),
        ("Norm scale", lambda name, shape: name[-1] == "weight" and (len(shape) == 1 or name[-2:-1] == ["ln"])),
        ("Parent name 'ln'", lambda name, shape: name[-2:] == ["ln", "bias"]),
        ("Last part position_encoding", lambda name, shape: name[-1] == "position_encoding"),
        ("Last part S ", lambda name, shape: name[-1] == "S"),
        ("Last part lambda_step", lambda name, shape: name[-1] in {"lambda_step", "dc_weight"}),
        ("Last part soft_thr", lambda name, shape: name[-1] == "soft_thr"),
        ("Last part starting with 'conv'", lambda name, shape: name[-1].startswith("conv")),
        ("Other ndim >= 2", lambda name, shape: len(shape) >= 2),
        ("All else", lambda name, shape: True),
    ],
}


def weights_of(document: dict[str, Any], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the same names, shapes and types as `state`, filled by the document's recipe."""
    recipe = document["weights"]
    rules = [(_expression(recipe["text"], label), fits) for label, fits in RULES[recipe["recipe"]]]
    filled: dict[str, Tensor] = {}
    for position, name in enumerate(sorted(state)):  # by code point, buffers counted
        shape = tuple(state[name].shape)
        expression = next(expression for expression, fits in rules if fits(name.split("."), shape))
        known = _draws(recipe, position, int(np.prod(shape))) | {"fan": float(np.prod(shape[1:]))}
        values = np.broadcast_to(evaluate(expression, known), int(np.prod(shape))).reshape(shape)
        filled[name] = torch.from_numpy(values.astype(np.float32)).to(state[name].dtype)
    return filled


def _expression(text: str, label: str) -> str:
    """What stands behind the colon of the rule that begins with `label`."""
    found = re.search(rf"{re.escape(label)}[^:]*: (.+?)\.(?:\s|$)", text)
    if found is None:
        raise ValueError(f"The recipe has no rule for '{label}': {text}")
    return found[1].replace("prod(shape[1:])", "fan")


def _draws(recipe: dict[str, Any], position: int, count: int) -> Values:
    """``w`` of recipe A or ``u`` of recipe B for one tensor, with the symbols that the rules use."""
    i = np.arange(count, dtype=np.float64)
    if recipe["recipe"] == "B":
        return {"u": hashed(np.arange(count), position, int(recipe["SEED"]))}
    constants = {"A": float(recipe["A"]), "P": float(recipe["P"]), "k": float(position)}
    wave = re.search(r"w\(i\) = (.+?), float64", recipe["text"])
    assert wave is not None
    return constants | {"w": evaluate(wave[1], constants | {"i": i})}


def hashed(index: np.ndarray, key: int, seed: int) -> np.ndarray:
    """Recipe B's ``u`` in [-1, 1): 32-bit integer hash of position, key number and seed."""
    h = (index.astype(np.uint64) + 0x9E3779B9 * (key + 1) + seed) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return 2 * h.astype(np.float64) / 2**32 - 1


# --- inputs ------------------------------------------------------------------------------------------------------


def inputs_of(document: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    """Every input in its stated shape: float32 values in `dtype`, masks as bool or, where they multiply, as numbers."""
    arrays: dict[str, np.ndarray] = {}
    # the mask first: others may be multiplied by it
    for entry in sorted(document["inputs"], key=lambda entry: entry["name"] != "mask"):
        array = _mask(entry) if entry["name"] == "mask" else _array(entry)
        if "multiplied by the mask" in entry.get("formula", ""):
            array = array * arrays["mask"]
        arrays[entry["name"]] = array
    return {
        name: torch.from_numpy(array) if array.dtype == bool else torch.from_numpy(array.astype(np.float32)).to(dtype)
        for name, array in arrays.items()
    }


def _mask(entry: dict[str, Any]) -> np.ndarray:
    """From its sampled columns, its packed bits or its formula."""
    shape = tuple(entry["shape"])
    if "sampled_columns" in entry:
        columns = entry["sampled_columns"]  # the same for the whole batch, or a list for each example
        mask = np.zeros(shape, dtype=bool)
        for example, lines in enumerate(columns if isinstance(columns[0], list) else [columns] * shape[0]):
            mask[example, ..., lines, :] = True
        return mask
    stored = entry.get("packbits_hex_row_major")
    bits = None if stored is None else np.unpackbits(np.frombuffer(bytes.fromhex(stored), dtype=np.uint8))
    if bits is not None:
        bits = bits[: shape[0] * shape[1]].reshape(shape[:2]).astype(np.float32)
    plane = bits if bits is not None and "formula" not in entry else _array({**entry, "shape": shape[:2]})
    if "ones" in entry and int(plane.sum()) != entry["ones"]:
        raise ValueError(f"The mask's formula gives {int(plane.sum())} ones instead of {entry['ones']}.")
    if bits is not None and not np.array_equal(bits, plane):
        raise ValueError("The mask's formula and its packed bits differ.")
    return np.broadcast_to(plane.reshape(plane.shape + (1,) * (len(shape) - 2)), shape).copy()


def _array(entry: dict[str, Any]) -> np.ndarray:
    """Float64 values of a formula, rounded to float32 last."""
    shape = tuple(entry["shape"])
    targets, definitions = assignments(entry["formula"])
    seed = int(definitions.get("SEED", "0"))
    result = np.empty(shape)
    for target in targets:
        part = [int(index) for index in target.indices if index.isdigit()] if target.indices[:1] == ["..."] else []
        inner = shape[:-1] if part else shape
        symbols = _positions(inner) | {"hash": lambda index, key: hashed(np.asarray(index), int(key), seed)}
        if target.flat:
            symbols[target.flat] = symbols["j"]
        elif not part:
            symbols |= _named_axes(target.indices, inner)
        values = evaluate(target.expression, symbols, definitions)
        result[(..., *part)] = np.broadcast_to(values, inner)
    return result.astype(np.float32)


def _positions(shape: tuple[int, ...]) -> Values:
    """Flat index ``j``; example, row and column ``n``, ``r``, ``c``; and the sizes ``H`` and ``W``."""
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    flat = np.arange(int(np.prod(shape))).reshape(shape)
    return {"j": flat, "i": flat, "n": axes[0], "r": axes[-2], "c": axes[-1], "H": shape[-2], "W": shape[-1]}


def _named_axes(names: list[str], shape: tuple[int, ...]) -> Values:
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    return {name: axis for name, axis in zip(names, axes, strict=True) if name.isidentifier()}
