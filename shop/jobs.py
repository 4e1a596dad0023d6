"""Work for later, kept in PostgreSQL by Procrastinate; shop/tasks.py says what the work is."""

from typing import Any

from procrastinate.contrib.django import app


def defer(task: str, **arguments: Any) -> None:
    """Have a task of shop/tasks.py done once the transaction around this has committed, and never if it does
    not. By name, because the tasks import the models, which defer them.
    """
    app.configure_task(f"shop.tasks.{task}").defer(**arguments)
