"""The embedded host: a small PyMARL-compatible framework (`python -m wqmix.host`)."""
