"""All settings, all from the environment or a file .env beside manage.py; .env.example explains them."""

import re
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import bootstrap_wrapper
import environ
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop import tracing
from shop.money import CURRENCIES

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
if (BASE_DIR / ".env").is_file():  # or it would say so, before there is a log
    env.read_env(BASE_DIR / ".env")

# --- who we are -----------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in ("http", "https") or not _public.hostname:
    raise ImproperlyConfigured(f"PUBLIC_URL must look like https://shop.example, not {PUBLIC_URL!r}.")

# On a laptop the same shop is called by several names; each keeps its own cookies, so a shopper
# must come back from Stripe to the very origin that she left.
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_port = f":{_public.port}" if _public.port else ""
_hosts = _LOOPBACK if _public.hostname in ("127.0.0.1", "localhost", "::1") else (_public.hostname,)
SITE_ORIGINS = list(dict.fromkeys([PUBLIC_URL, *(f"{_public.scheme}://{host}{_port}" for host in _hosts)]))
ALLOWED_HOSTS = [*_hosts, *env.list("EXTRA_HOSTS", default=[])]

INSTALLED_APPS = [
    "daphne",  # first: makes runserver speak ASGI
    "shop.apps.AdminConfig",  # django.contrib.admin, with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_htmx",
    "procrastinate.contrib.django",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "shop",
    "realtime",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shop.shoppers.ShopperMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- what we keep ---------------------------------------------------------------------------------

# The sweep (realtime/sweep.py) reads behind by more than the longest transaction, so the database has
# to have a longest one. PostgreSQL 17 and later can bound the whole of it: see .env.example.
_SESSION_OPTIONS = "-c statement_timeout=5s -c idle_in_transaction_session_timeout=5s"
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=20)
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"] = {
    "pool": {"min_size": 1, "max_size": DATABASE_POOL_SIZE, "timeout": 5},
    # A database that falls silent must fail, so that the sweep can go on where another answers.
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,  # ms
    # Prepared statements: PostgreSQL plans what a payment needs once for each connection.
    "server_side_binding": True,
    "prepare_threshold": 2,
    "options": env("DATABASE_SESSION_OPTIONS", default=_SESSION_OPTIONS),
    **DATABASES["default"].get("OPTIONS", {}),
}
# Work for later (shop/tasks.py): `manage.py procrastinate worker`. A few at a time, because most of it waits
# for Stripe or a mail server. What is done is not kept: orders and e-mails have their own memory.
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": 4,
    "delete_jobs": "successful",
    "fetch_job_polling_interval": 1,  # seconds, for what is scheduled
    "worker_middleware": [tracing.name_job],
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_OURS = f"shopbell-{sha256(SECRET_KEY.encode()).hexdigest()[:8]}"  # two shops may share one Redis
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # A subscription that hears nothing for a while is no error, hence no socket_timeout.
            "hosts": [
                {"address": env("REDIS_URL"), "socket_timeout": None, "socket_connect_timeout": 1},
            ],
            # Pub/sub knows no databases: two shops on one Redis must not hear each other.
            "prefix": _OURS,
        },
    }
}

# --- Stripe ---------------------------------------------------------------------------------------

STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY")
STRIPE_API_BASE = env("STRIPE_API_BASE", default="https://api.stripe.com")
# Where Stripe's payment pages are. The local Stripe has them where its API is.
_api_base = urlsplit(STRIPE_API_BASE)
STRIPE_CHECKOUT_ORIGINS = env.list(
    "STRIPE_CHECKOUT_ORIGINS",
    default=[
        "https://checkout.stripe.com"
        if _api_base.hostname == "api.stripe.com"
        else f"{_api_base.scheme}://{_api_base.netloc}"
    ],
)
for _origin in STRIPE_CHECKOUT_ORIGINS:
    if not re.fullmatch(r"https?://[a-z0-9.:\[\]-]+", _origin):
        raise ImproperlyConfigured(
            f"STRIPE_CHECKOUT_ORIGINS must look like https://pay.example: {_origin!r}."
        )
STRIPE_LIVE_MODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
# Two secrets while one is being rotated, separated by a comma.
STRIPE_WEBHOOK_SECRETS = [secret.strip() for secret in env.list("STRIPE_WEBHOOK_SECRET") if secret.strip()]
if not STRIPE_WEBHOOK_SECRETS:
    raise ImproperlyConfigured(
        "STRIPE_WEBHOOK_SECRET is empty: without it nobody could tell Stripe's webhooks from forged ones."
    )

# How long what Stripe signed is kept word for word (shop/models/events.py).
EVENT_PAYLOAD_DAYS = env.int("EVENT_PAYLOAD_DAYS", default=30)
if EVENT_PAYLOAD_DAYS < 1:
    raise ImproperlyConfigured("EVENT_PAYLOAD_DAYS must be 1 or more: events are tried again for 17 hours.")

# How long Stripe may be silent while it must have something to say (shop/alarm.py).
WEBHOOK_SILENCE_MINUTES = env.float("WEBHOOK_SILENCE_MINUTES", default=3)

# --- who comes in ---------------------------------------------------------------------------------


def _count(name: str, default: int) -> int:
    count: int = env.int(name, default=default)
    if count < 1:
        raise ImproperlyConfigured(f"{name} must be 1 or more, not {count}.")
    return count


AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "shop.passwords.ShopWordsValidator"}]
PASSWORD_HASHERS = ["shop.hashing.Hasher"]
PASSWORD_RESET_TIMEOUT = 3600  # seconds; mail is read within the hour, or asked for again
AUTHENTICATION_BACKENDS = [
    "shop.logins.Door",  # alone looks at passwords, and at none while who guesses is locked out
    "django.contrib.auth.backends.ModelBackend",  # keeps sessions and rights
]
# Wrong passwords (shop/logins.py): of one name from one network, and of a network whatever the names.
AXES_FAILURE_LIMIT = _count("LOGIN_FAILURES", 10)
LOGIN_NETWORK_FAILURES = _count("LOGIN_NETWORK_FAILURES", 100)
AXES_COOLOFF_TIME = timedelta(minutes=_count("LOGIN_LOCK_MINUTES", 15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_HANDLER = "shop.logins.Guesses"
AXES_CLIENT_IP_CALLABLE = "shop.limits.network_of"
AXES_USERNAME_CALLABLE = "shop.logins.hash_of_name"
AXES_LOCKOUT_CALLABLE = "shop.logins.locked_page"
AXES_USERNAME_FORM_FIELD = "username"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or somebody could keep it up for ever
AXES_DISABLE_ACCESS_LOG = True  # the log has it; a table of who was here when is nobody's business
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "shop"
LOGOUT_REDIRECT_URL = "shop"
CSRF_FAILURE_VIEW = "shop.views.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = SITE_ORIGINS

_HTTPS = _public.scheme == "https"
# __Host- keeps other hosts of the domain from setting them. Browsers want HTTPS for it.
_cookie = "__Host-" if _HTTPS else ""
SESSION_ENGINE = "project.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600  # seconds from logging in
STAFF_SESSION = timedelta(hours=_count("STAFF_SESSION_HOURS", 12))  # the same (shop/accounts.py)
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_cookie}sessionid", f"{_cookie}csrftoken"
GUEST_COOKIE_NAME, MESSAGES_COOKIE_NAME = f"{_cookie}guest", f"{_cookie}messages"
MESSAGE_STORAGE = "project.cookies.Messages"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # Strict would log out who returns from Stripe
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
SECURE_SSL_HOST = _public.netloc
# Nor is the API redirected: it refuses (project/intake.py).
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^api/v1/"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What our pages may load and where they may lead; project/headers.py sends it with every answer.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # Bootstrap has its icons in its style sheet
        "connect-src": ["'self'"],  # our sockets included
        "form-action": ["'self'", *STRIPE_CHECKOUT_ORIGINS],  # Buy is a form whose answer leads there
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
# Who may read /metrics: addresses or networks. Asked for without TLS as a rule.
METRICS_ALLOWED = [
    ip_network(network) for network in env.list("METRICS_ALLOWED", default=["127.0.0.1", "::1"])
]
# Whose word counts for a client's address and scheme (project/proxies.py): addresses, networks, or "unix".
TRUSTED_PROXIES = [
    "unix" if proxy == "unix" else ip_network(proxy)
    for proxy in map(str.strip, env.list("TRUSTED_PROXIES", default=[]))
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000  # bytes; Stripe's largest events are far smaller
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# --- the API --------------------------------------------------------------------------------------


def _rate(name: str, default: str) -> str | None:
    rate: str = env(name, default=default).strip()
    if rate and not re.fullmatch(r"[1-9][0-9]*/(s|sec|m|min|h|hour|d|day)", rate):
        raise ImproperlyConfigured(f"{name} must look like 30/min, not {rate!r}.")
    return rate or None


REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "shop.api.authentication.TokenAuthentication",
        "shop.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["shop.api.authentication.IsShopper"],
    "DEFAULT_PARSER_CLASSES": ["shop.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "shop.api.schema.Schema",
    "DEFAULT_THROTTLE_CLASSES": [
        "shop.api.throttling.PerAddress",
        "shop.api.throttling.PerUser",
        "shop.api.throttling.PerPurpose",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": _rate("API_RATE_ANON", "120/min"),
        "user": _rate("API_RATE_USER", "600/min"),
        "token": _rate("API_RATE_TOKEN", "10/min"),
    },
    "EXCEPTION_HANDLER": "shop.api.problems.problem",
    "ALLOWED_VERSIONS": ["1"],  # or /api/schema/?version= would be written into a header as it comes
}
# Counted in PostgreSQL, for pages and API together (shop/limits.py).
LIMITS = {
    "checkout": _rate("CHECKOUT_RATE", "30/hour"),
    "checkout_network": _rate("CHECKOUT_NETWORK_RATE", "300/hour"),
    "check": _rate("CHECK_RATE", "60/hour"),
    "links": _rate("LINKS_RATE", "20/hour"),
    "password": _rate("PASSWORD_RATE", "20/hour"),
    "signup": _rate("SIGNUP_RATE", "60/hour"),
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},  # or a few hundred callers would make it forget them all
    },
    # Counted for all processes together; without Redis each counts for itself (shop/api/throttling.py).
    "throttles": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env("REDIS_URL"),
        "KEY_PREFIX": _OURS,
        # Whoever calls must not wait for a Redis that is gone; the client's own way is to try for seconds.
        "OPTIONS": {
            "socket_connect_timeout": 0.2,
            "socket_timeout": 0.2,
            "retry": Retry(NoBackoff(), 0),
            "serializer": "shop.api.histories.Histories",
        },
    },
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Shopbell API",
    "DESCRIPTION": "Products, checkout and orders, by the rules of the shop's own pages.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "PaymentStatus": "shop.models.PaymentStatus",
        "FulfilmentStatus": "shop.models.FulfilmentStatus",
        "RefundStatus": "shop.models.RefundStatus",
        "Source": "shop.models.Source",
        "What": "shop.models.OrderChange.What",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- what is shown --------------------------------------------------------------------------------

LANGUAGE_CODE = env("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]  # of the e-mails: see locale/
LOCALE_PATHS = [BASE_DIR / "locale"]
CURRENCY = env("CURRENCY", default="eur").lower()
if CURRENCY not in CURRENCIES:
    raise ImproperlyConfigured(f"CURRENCY must be one that Stripe takes, for example eur, not {CURRENCY!r}.")
USE_TZ = True
TIME_ZONE = env("TIME_ZONE", default="UTC")
STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=BASE_DIR / "staticfiles")  # only for a proxy that serves them
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("bootstrap", Path(bootstrap_wrapper.__file__).parent.parent / "bootstrap"),
]
globals().update(env.email("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds, for each step of the conversation with the mail server
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Shopbell <shop@localhost>")

# The page of errors that DEBUG shows, and the mail of them (project/errors.py).
DEFAULT_EXCEPTION_REPORTER = "project.errors.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "project.errors.Filter"

# One line of logfmt for each thing that happened (project/logs.py), wherever it comes from.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "project.logs.Formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handlers would write lines of another form beside these.
        "django": {"handlers": [], "level": "INFO"},
        "django.server": {"handlers": [], "propagate": True},
        # What they say at INFO the access log says already; at DEBUG they quote what they send.
        **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "stripe", "procrastinate")},
        "axes": {"level": "ERROR"},  # shop/security.py says it better
    },
}
