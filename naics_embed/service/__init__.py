"""Search and coding over HTTP: a small FastAPI app and a page to search with."""
