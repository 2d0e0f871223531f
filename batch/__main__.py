"""`python batch WORKFLOW.json PICTURES OUT`; see docs/batch.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # the rooms are packages of the repository

from comfyui_host import install  # noqa: E402

NEEDS = ["ray[data]==2.60.0", "aiohttp>=3.11", "pillow>=10.1", "tqdm"]
"""The extra `batch` of pyproject.toml. Ray wants the same version of itself on every machine of a cluster."""

if __name__ == "__main__":
    install.run_where_installed(("ray", "pyarrow", "numpy", "aiohttp", "PIL", "tqdm"), NEEDS, ROOT / ".batch")
    from batch.command import main

    sys.exit(main())
