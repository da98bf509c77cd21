"""Prefect's and MLflow's servers, work pools, workers and deployments on this machine."""
