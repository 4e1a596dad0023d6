"""What holds whatever breaks. Each broken promise is told with its letter."""

CONVERGED = 10.0
"""Seconds after healing in which all pages have to be true."""

AT_MOST = 2.0
"""Seconds that checkout and webhooks take without Valkey, 99 of 100."""
LOG_IN = 1.0
"""Seconds that a log-in takes while all pages come back, 9 of 10."""

PUSHED = 1.0
"""Seconds from a payment's commit to the dashboards, every second time: the sweep alone needs 2.5."""

BROKEN_OFF = "X"
"""In the place of a letter: a world that did not come to its end."""

PROMISES = {
    "A": "every event answered 2xx is recorded, and applied or explained",
    "B": "each is applied once; money, stock and e-mails equal what Stripe did",
    "C": "versions on a page only rise, and nothing is sent twice",
    "D": f"all pages equal the database within {CONVERGED:.0f} s of healing",
    "E": "nothing reaches a page that may not see it",
    "F": "memory and descriptors return to their level",
    "G": "where nothing is broken that it needs, nothing fails",
    "H": f"checkout and webhooks take {AT_MOST:.0f} s at most (p99) whatever Valkey does,"
    f" a log-in {LOG_IN:.0f} s while all pages come back (p90), and a payment {PUSHED:.0f} s to the"
    " dashboards once all is mended (p50)",
}
