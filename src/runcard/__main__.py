"""``python -m runcard`` is the ``runcard`` command."""

from runcard.cli.main import main

if __name__ == "__main__":
    main()
