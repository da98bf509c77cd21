"""The Census Bureau's workbooks: where they come from, and what is read out of them."""
