"""`wqmix compare`: statistics, figures and a report over finished runs."""
