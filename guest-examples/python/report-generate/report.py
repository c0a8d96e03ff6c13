"""The report itself. Nothing here knows that it is part of a job."""

import math
from dataclasses import dataclass, field

from flowmonkey import camel_case, from_json


@dataclass
class Record:
    region: str
    product: str
    amount: float


@dataclass
class Total:
    count: int = 0
    sum: float = 0.0


@camel_case
@dataclass
class Report:
    """The totals so far: what a checkpoint holds, and at the end the result."""

    lines: int = 0
    """How many lines are in the totals."""
    by_region: dict[str, Total] = field(default_factory=dict)
    by_product: dict[str, Total] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Adds the next line, one record in JSON. Raises `Mismatch` if it is none."""
        record = from_json(line, Record, "record")
        region = self.by_region.setdefault(record.region, Total())
        product = self.by_product.setdefault(record.product, Total())
        for total in (region, product):
            total.count += 1
            total.sum += record.amount
        self.lines += 1

    def round(self) -> None:
        """Rounds the sums to cents. Once, at the end: rounded sums that are added to
        drift."""
        for total in (*self.by_region.values(), *self.by_product.values()):
            cents = math.floor(abs(total.sum) * 100 + 0.5)
            total.sum = math.copysign(cents / 100, total.sum)
