"""`python -m wqmix.host --config=qmix --env-config=matrix_game with t_max=1000`."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())
