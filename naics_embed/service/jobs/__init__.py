"""Jobs: files that are coded for clients, resumable."""
