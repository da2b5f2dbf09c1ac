"""The family of errors that a user is told in one line."""


class UserError(Exception):
    """What a user can mend, or has to know: one line, which `exit_code` follows.

    Learners, host, plugin, analysis and theory have kinds of their own.
    """

    exit_code = 2
