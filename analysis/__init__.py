"""Over finished runs: demonstrations, tables, figures."""
