"""Active learning and forced sampling."""
