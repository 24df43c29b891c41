"""Names that more than one module of the graph must agree on."""

# A pass that was killed is not taken up by Dagster from the step that failed: another pass may be
# half way by then, and what it has half built would be judged and published.
PASS_TAGS = {"tallyman/warehouse": "writer", "dagster/max_retries": "0"}
DELIVERY_TAG = {"tallyman/delivery": "sender"}

RECONCILE_JOB = "reconcile"
DELIVERY_JOB = "deliver_corrections"
DECISION_JOB = "decide_corrections"

# Teams as Dagster shows them beside each asset.
DATA_TEAM = "team:data-platform"
OPERATIONS_TEAM = "team:operations"

# Dagster's debug log of each run is for its UI; the terminal of `make dev` shows what went wrong.
QUIET_RUN = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
# Where a command runs the job, the command itself says what went wrong, in words for people.
SILENT_RUN = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
