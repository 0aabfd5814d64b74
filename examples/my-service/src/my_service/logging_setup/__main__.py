"""Start the doctor: python -m my_service.logging_setup [--probe] [--json]

Shows how logging would be set up in this environment, and its faults. Exit status: 0; 1 if a sink
failed its probe; 2 if a LOG_* value is invalid. docs/logging.md has more.
"""

import sys

from .configure import settings_or_exit, use_settings
from .doctor.command import main
from .get_handlers import get_handlers
from .settings import OWN_LOGGERS, PACKAGE, Settings

if __name__ == "__main__":
    sys.exit(main(PACKAGE, OWN_LOGGERS, Settings, settings_or_exit, use_settings, get_handlers))
