"""`python3 -m nrs` is the `nrs` command."""

from nrs.cli.main import main

if __name__ == "__main__":
    main()
