"""Documents of the carrier: one scan after another."""

from __future__ import annotations

import numpy as np

from sandbox.scale.documents import Documents
from sandbox.scale.draw import NEVER, STEP, Block
from sandbox.scale.names import shipment_numbers, tracking_numbers
from sandbox.scale.plan import DELIVERED
from sandbox.scale.text import chosen, digits, join, local_with_offset, quoted
from sandbox.views.carrier import EXPECTED_WITHIN

_CODES = ("OC", "PU", "DP", "AR", "OD", "DL")
_EXPECTED_MS = int(EXPECTED_WITHIN * 1000)


def scans(block: Block) -> Documents:
    """The scans of all parcels, a parcel at a time in the order in which they were made."""
    rows = np.flatnonzero(block.state == DELIVERED)
    steps = np.array([STEP[f"scan_{code}"] for code in _CODES])
    numbers = np.repeat(block.number[rows], len(_CODES))
    codes = np.tile(np.arange(len(_CODES)), len(rows))
    scanned = block.happened[np.ix_(rows, steps)].reshape(-1)
    reported = block.heard["carrier"][np.ix_(rows, steps)].reshape(-1)
    # Sequence numbers have gaps: those of parcels that were never sent.
    sequence = numbers * len(_CODES) + codes
    # A day is promised with the label, and not again.
    expected = np.where(codes == 0, scanned + _EXPECTED_MS, NEVER)
    texts = join(
        '{"seq":',
        digits(sequence),
        ',"event-id":"C',
        digits(sequence, 12),
        '","tracking-number":"',
        tracking_numbers(numbers),
        '","code":"',
        chosen(_CODES, codes),
        '","timestamp":"',
        local_with_offset(scanned),
        '","reported-at":"',
        local_with_offset(reported),
        '","expected-delivery":',
        quoted(local_with_offset(expected)),
        ',"reason":null,"reference":"',
        shipment_numbers(numbers),
        '"}\n',
    )
    return Documents("carrier", "events", texts, sequence)
