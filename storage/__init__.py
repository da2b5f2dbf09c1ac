"""Checkpoint folders: written whole or not at all, verified, read as tensors only.

What the host and the learners share, each of which writes files of its own into such a
folder; and the little else that both need: memory, streams, a check of Q-values. This
package imports nothing of theirs.
"""

from .errors import UserError


class Refused(UserError):
    """A file or folder that is absent, broken or not what it should be; one line."""
