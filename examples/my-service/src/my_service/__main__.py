"""python -m of the package itself."""

from .main import main

main()
