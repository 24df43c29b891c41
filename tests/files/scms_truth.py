"""The SCMS figures worked out a second time, from the CSV alone, with pandas: shares no code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
CSV = ROOT / "examples" / "scms" / "data" / "SCMS_Delivery_History_Dataset.csv"
GRACE_DAYS = 7  # of rule O09 in the seed; a test holds the two together


@dataclass(frozen=True)
class Truth:
    """The lines with their days, the lag of recording and the lateness, both in whole days."""

    lines: pd.DataFrame

    @property
    def event_lag_days(self) -> dict[str, float]:
        lag = self.lines["lag"]
        known = lag[lag >= 0]
        p50, p90, p99 = known.quantile([0.5, 0.9, 0.99], interpolation="linear")
        return {
            "count": len(lag),
            "late": int((lag > 0).sum()),
            "negative": int((lag < 0).sum()),
            "p50": p50,
            "p90": p90,
            "p99": p99,
            "max": int(lag.max()),
        }

    @property
    def delivery(self) -> dict[str, int]:
        late = self.lines["lateness"]
        return {
            "lines": len(late),
            "late": int((late > 0).sum()),
            "early": int((late < 0).sum()),
            "on_date": int((late == 0).sum()),
        }

    def by(self, *columns: str) -> dict[tuple[str, ...], tuple[int, int, int, int]]:
        """(lines, late, early, on date) by the values of the columns."""
        groups = self.lines.groupby(list(columns))["lateness"]
        return {
            key if isinstance(key, tuple) else (key,): (
                len(late),
                int((late > 0).sum()),
                int((late < 0).sum()),
                int((late == 0).sum()),
            )
            for key, late in groups
        }

    @property
    def exceptions(self) -> set[str]:
        """Lines whose delivery was not recorded by the promised day and the grace.

        A line that was ordered only after its promised day falls due from the order.
        """
        due = self.lines[["promised", "ordered"]].max(axis=1)
        overdue = (self.lines["recorded"] - due).dt.days > GRACE_DAYS
        return set(self.lines.loc[overdue, "line"])

    def references(self, column: str) -> dict[str, int]:
        """Cross references of a column: all, resolved to a number, resolved to a text, dangling."""
        target = self.lines[column].str.extract(r"\(ID#:(\d+)\)")[0]
        texts = self.lines.set_index("ID")[column]
        found = target.dropna().map(texts)
        number = pd.to_numeric(found, errors="coerce")
        return {
            "references": len(found),
            "number": int(number.notna().sum()),
            "text": int((found.notna() & number.isna()).sum()),
            "dangling": int(found.isna().sum()),
        }


def read_truth(path: Path = CSV) -> Truth:
    lines = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    lines["line"] = lines["PO / SO #"] + "/" + lines["ID"]
    for name, column in (
        ("promised", "Scheduled Delivery Date"),
        ("delivered", "Delivered to Client Date"),
        ("recorded", "Delivery Recorded Date"),
    ):
        lines[name] = pd.to_datetime(lines[column], format="%d-%b-%y")
    lines["ordered"] = _order_days(lines["PO Sent to Vendor Date"])
    lines["lag"] = (lines["recorded"] - lines["delivered"]).dt.days
    lines["lateness"] = (lines["delivered"] - lines["promised"]).dt.days
    return Truth(lines)


def _order_days(texts: pd.Series) -> pd.Series:
    """M/D/YY as it stands; "20MM-DD-YY" cut apart by position."""
    days = pd.to_datetime(texts, format="%m/%d/%y", errors="coerce")
    swapped = texts.str.fullmatch(r"\d{4}-\d{2}-\d{2}")
    cut = texts[swapped]
    days[swapped] = pd.to_datetime(
        {
            "year": "20" + cut.str[8:10],
            "month": cut.str[2:4],
            "day": cut.str[5:7],
        }
    )
    return days
