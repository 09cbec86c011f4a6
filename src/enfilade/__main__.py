"""`python -m enfilade`."""

from enfilade.cli import main

if __name__ == "__main__":
    main()
