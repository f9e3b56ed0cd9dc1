"""``python -m secondpass``."""

from secondpass.cli.main import main

if __name__ == "__main__":  # processes that read ahead in training import this module too
    main()
