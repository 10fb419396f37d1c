"""Whether somebody is in both halves of a split."""

from collections.abc import Callable, Sequence

from napari_mritransfer.honesty.finding import Finding, Verdict

CHECK = "shared subjects"
_NAMED = 3


def examine_split(train: Sequence[str], test: Sequence[str], subject_of: Callable[[str], str]) -> tuple[Finding, ...]:
    """Subjects that are in training (validation included) and test.

    Parameters
    ----------
    train, test
        Paths or whatever else `subject_of` takes.
    subject_of
        Whose scan it is, such as `training.slices.subject_of`.
    """
    trained = {subject_of(one) for one in train}
    shared = sorted(trained & {subject_of(one) for one in test})
    if not train or not test:
        return (Finding(CHECK, Verdict.UNKNOWN, "There is nothing to compare: name scans for training and for test."),)
    if shared:
        named = ", ".join(shared[:_NAMED]) + (f" and {len(shared) - _NAMED} more" if len(shared) > _NAMED else "")
        sentence = (
            f"Training and test share {len(shared)} subject{'s' if len(shared) > 1 else ''} ({named}): the numbers "
            "flatter, and say nothing about somebody new."
        )
        return (Finding(CHECK, Verdict.CONCERN, sentence, float(len(shared)), 0.0, {"subjects": shared}),)
    sentence = "As far as the names tell, nobody is in both training and test."
    return (Finding(CHECK, Verdict.FINE, sentence, 0.0, 0.0),)
