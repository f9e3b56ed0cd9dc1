"""The scripts here need the reference libraries, which are no dependencies; pytest is not to import them."""

collect_ignore_glob = ["make_*.py"]
