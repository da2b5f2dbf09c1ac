"""`python -m wqmix.host --config=qmix --env-config=matrix_game with t_max=1000`."""

import sys

from ..config.extras import unmet

try:
    from .main import main
except ModuleNotFoundError as error:
    if unmet(error) is None:
        raise
    print(f"error: {unmet(error)}", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
