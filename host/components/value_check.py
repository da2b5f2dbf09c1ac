"""Whether Q-values fit the returns that have been seen."""

MANY_TIMES, UPDATES = 5, 1000  # what is warned of, and only after so many updates


class ValueCheck:
    """Warns, once, where mean |q_tot| stays many times the largest return seen.

    The return of an episode counts as the sum of |r|, which no discounted return to go
    exceeds.
    """

    def __init__(self, warn):
        self._warn = warn
        self._largest = None
        self._updates = 0
        self._since = None

    def see(self, rewards, mask):
        """Note an update's rewards `[B, T, 1]`; nothing waits for the device."""
        self._updates += 1
        largest = (rewards.abs() * mask).sum(1).amax()
        known = self._largest
        self._largest = largest if known is None else largest.maximum(known)

    def judge(self, size):
        """Look at mean |q_tot|, where it is logged."""
        largest = self._largest.item()
        if self._warn is None or not 0 < MANY_TIMES * largest < size:
            self._since = None
        elif self._since is None:
            self._since = self._updates
        elif self._updates - self._since >= UPDATES:
            self._warn(
                f"mean |Q_tot| is {size:.3g}, but the largest return seen is "
                f"{largest:.3g}, and has been so for {self._updates - self._since} "
                "updates: Q_tot learns from its own first values; try "
                "mixer_init_scale=0.1"
            )
            self._warn = None
