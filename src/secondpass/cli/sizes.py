"""Sizes of files in words."""

from __future__ import annotations


def bytes_in_words(size: int) -> str:
    """Return a size in words.

    >>> bytes_in_words(2_270_000_000), bytes_in_words(90_900_000), bytes_in_words(4_096)
    ('2.27 GB', '90.9 MB', '4.1 kB')
    """
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
