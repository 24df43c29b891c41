"""Files that others drop in a folder (CSV, NDJSON, Parquet), read as the records of a contract."""
