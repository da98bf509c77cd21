"""Threads of torch in the threads of a service; torch is imported with it, where it is installed.

A service answers for long, so that its first request need not wait for the import.
"""

from naics_embed.optional import is_installed

if is_installed('torch'):
    import torch


def use_threads(threads: int) -> None:
    """Let torch use so many threads in this thread; without torch, numpy's own setting stays."""
    if is_installed('torch'):
        torch.set_num_threads(threads)
