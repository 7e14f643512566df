"""Run refdp from a checkout: ``python cli.py COMMAND``. The installed program is ``refdp COMMAND``."""

from refdp.cli import main

if __name__ == "__main__":
    main()
