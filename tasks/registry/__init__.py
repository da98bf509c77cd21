"""The promoted bundle and MLflow's registry."""
