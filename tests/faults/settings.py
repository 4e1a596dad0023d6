"""The shop's settings, and an app that can break it: a build for these tests alone."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.broken"]
