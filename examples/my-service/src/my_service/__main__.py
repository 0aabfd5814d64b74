"""Entry point of `python -m` with this package."""

from .main import main

main()
