"""Trading partners over EDI files: X12 and EDIFACT read to canonical records, X12 written."""
