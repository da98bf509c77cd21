"""The table and the encoder in the formats of other tools."""
