"""`python -m tierwise` is `tierwise`."""

from tierwise.cli import main

if __name__ == "__main__":
    main()
