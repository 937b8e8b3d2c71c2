"""`python -m deploy` is `hotbasket`, where the package is not installed."""

from deploy.cli import main

main()
