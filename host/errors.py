"""The one error that the host turns into one line and exit code 2."""


class HostError(Exception):
    """A mistake in what the user asked for; its text is the whole message."""
