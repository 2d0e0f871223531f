"""`python batch WORKFLOW.json PICTURES OUT`; see docs/batch.md."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this room is a package of the repository

from batch import install  # noqa: E402

if __name__ == "__main__":
    install.run_where_installed()
    from batch.command import main

    sys.exit(main())
