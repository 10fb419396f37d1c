"""Measurement and model to image: zero-filled reconstruction and network inference over slices."""
