"""Data structures and small parts that controllers, learners and runners share."""
