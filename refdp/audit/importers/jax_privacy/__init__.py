"""JAX-Privacy's configurations, one a file; ``kinds`` names them all."""
