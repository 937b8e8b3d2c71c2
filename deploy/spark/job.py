"""What spark-submit starts: the same command line, so that `job.py nightly` is `hotbasket batch nightly`."""

from __future__ import annotations

import sys

from deploy.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["batch"]
    main()
