"""A project that does nothing but dj-stripe's webhook, after https://dj-stripe.dev/installation/.

Where its documentation leaves a choice, the faster one: our own pool of connections, and of the middlewares
of a new project only the one that says how long an answer is.
"""

import os

from psycopg.conninfo import conninfo_to_dict

_database = conninfo_to_dict(os.environ["DATABASE_URL"])

SECRET_KEY = "nothing is signed with it"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "djstripe"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "bench.djstripe.urls"
USE_TZ = True
# The tables straight from the models: through its migrations they take half a minute.
MIGRATION_MODULES = dict.fromkeys(["contenttypes", "auth", "djstripe"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.pop("dbname"),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database,
            "pool": {"min_size": 1, "max_size": 20, "timeout": 30},
            "server_side_binding": True,
            "prepare_threshold": 2,
        },
    }
}
LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

STRIPE_TEST_SECRET_KEY = os.environ["STRIPE_SECRET_KEY"]
STRIPE_LIVE_MODE = False
STRIPE_API_HOST = os.environ["STRIPE_API_BASE"]
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
