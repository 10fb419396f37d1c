"""Who must stay on one side of every split: subjects, and groups of subjects that a column names."""

from collections.abc import Mapping, Sequence

from napari_mritransfer.cohort.table import CohortScan


def joined(scans: Sequence[CohortScan], groups: Mapping[CohortScan, str]) -> dict[str, tuple[str, ...]]:
    """Sets of subjects that no split may part.

    Two subjects stay together if they share a group, and two groups if they share a subject, whose scans may lie in
    both; so do friends of friends.

    Parameters
    ----------
    scans
        In any order.
    groups
        Of each scan.

    Returns
    -------
    sets
        Every subject once, under the group that comes first among the set's scans.
    """
    first_of: dict[str, str] = {}

    def root(group: str) -> str:
        while first_of.setdefault(group, group) != group:
            first_of[group] = group = first_of[first_of[group]]
        return group

    of_subject: dict[str, str] = {}
    order: dict[str, None] = {}
    for scan in scans:
        group = groups[scan]
        order.setdefault(group)
        first_of[root(group)] = root(of_subject.setdefault(scan.subject, group))
    sets: dict[str, list[str]] = {}
    for subject, group in of_subject.items():
        sets.setdefault(root(group), []).append(subject)
    names: dict[str, str] = {}
    for group in order:
        names.setdefault(root(group), group)
    return {names[top]: tuple(subjects) for top, subjects in sets.items()}
