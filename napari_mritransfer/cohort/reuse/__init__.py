"""A network pretrained in a big study, re-used on a small one: methods side by side on the same folds."""
