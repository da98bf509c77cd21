"""Excel workbooks from outside: how large they are, before a reader opens them."""
