"""One potential a file."""
