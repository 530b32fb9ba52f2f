"""Safe norms, switching functions, splines and small linear algebra."""
