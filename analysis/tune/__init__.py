"""`wqmix tune`: the best settings of each algorithm, at the same price."""
