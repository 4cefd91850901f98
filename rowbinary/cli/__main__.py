"""``python -m rowbinary.cli``"""

from . import main

main()
