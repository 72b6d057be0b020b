"""Log results to MLflow and read them; only this package imports mlflow."""

import os

# Here, because MLflow reads them when it is imported, and any module of this package may be the
# first to do so.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that does not respond is given up after one minute, not after four.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
