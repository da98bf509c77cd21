"""A server of the Model Context Protocol: search, coding and codes for assistants."""
