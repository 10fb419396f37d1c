"""`Finding`: what one check says of one scan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """Whether a person has to know something before believing a number."""

    CONCERN = "concern"
    FINE = "fine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer.

    Attributes
    ----------
    check
        Name of the check, as docs/honesty.md lists it.
    verdict
        Unknown where the data do not allow an answer.
    sentence
        For a radiologist or physicist.
    value
        What was measured; None where there is nothing to measure.
    threshold
        What `value` was compared with; None where nothing was compared.
    details
        Further numbers and strings that JSON takes, by name.
    """

    check: str
    verdict: Verdict
    sentence: str
    value: float | None = None
    threshold: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    def as_record(self) -> dict[str, object]:
        """All fields as JSON takes them."""
        return {
            "check": self.check,
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "value": self.value,
            "threshold": self.threshold,
            "details": dict(self.details),
        }


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Concerns first, then what could not be decided, then what is fine; within each as they were made."""
    order = (Verdict.CONCERN, Verdict.UNKNOWN, Verdict.FINE)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.verdict)))
