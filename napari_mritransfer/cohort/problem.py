"""`Problem`: one thing that a table of scans has to be told before anything is trained on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from napari_mritransfer.cohort.table import CohortScan


class Severity(StrEnum):
    """What follows from a problem."""

    STOPS = "stops"
    LEAVES_OUT = "leaves out"
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing found.

    Attributes
    ----------
    kind
        In two or three words.
    severity
        Nothing can be trained, one scan is left out, or nothing but the remark.
    sentence
        What is wrong and what to do.
    subject, session
        Whose scan it is, and of which visit; empty where it concerns several or the whole table.
    line
        The table's line, counted from 1; 0 for the whole table.
    """

    kind: str
    severity: Severity
    sentence: str
    subject: str = ""
    session: str = ""
    line: int = 0

    @property
    def named(self) -> str:
        """The sentence, with whose scan it is about in front where it does not say so itself."""
        who = f"{self.subject} {self.session}".strip()
        return self.sentence if not who or self.subject in self.sentence else f"{who}: {self.sentence}"

    @classmethod
    def leaving_out(cls, scan: CohortScan, kind: str, sentence: str) -> "Problem":
        """Why one scan cannot be used."""
        return cls(kind, Severity.LEAVES_OUT, sentence, scan.subject, scan.session, scan.line)


def in_reading_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """What stops first, then who is left out, then remarks; within each by line."""
    return tuple(sorted(problems, key=lambda problem: (list(Severity).index(problem.severity), problem.line)))


def as_rows(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """A table of text, one row a problem in reading order; also what JSON takes."""
    return [
        {
            "severity": str(problem.severity),
            "problem": problem.kind,
            "subject": f"{problem.subject} {problem.session}".strip(),
            "line": str(problem.line or ""),
            "sentence": problem.sentence,
        }
        for problem in in_reading_order(problems)
    ]


def some(names: Iterable[str], most: int = 5) -> str:
    """A list that stays short: the first few, and how many more."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
