"""`wqmix sweep`: algorithms × environments × seeds × settings."""
