"""The configuration: a schema of frozen dataclasses and the loader that fills it from YAML."""
