"""Log results to MLflow and read them; only this package imports mlflow."""
