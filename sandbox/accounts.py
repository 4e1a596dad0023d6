"""Who works in the shop of `make run`, besides the account that may everything."""

COLLEAGUES = {"viewer": "Viewers", "packer": "Packers", "manager": "Managers"}
"""User name → group, as `manage.py seed_groups` makes it."""
MAY = {
    "viewer": "sees the payments",
    "packer": "prepares and sends, too",
    "manager": "refunds and reads webhooks, too",
}


def password_variable(username: str) -> str:
    """Of the environment, and among the kept secrets."""
    return f"{username.upper()}_PASSWORD"
