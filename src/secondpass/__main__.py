"""``python -m secondpass``."""

from secondpass.cli.main import main

main()
