"""Names of the number formats that a coder can encode texts in."""

FLOAT32 = 'float32'
BFLOAT16 = 'bfloat16'
PRECISIONS = (FLOAT32, BFLOAT16)
AUTO = 'auto'
"""Stands for the one that is fastest on the processor."""
