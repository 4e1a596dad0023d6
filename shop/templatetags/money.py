from django import template

from shop.money import formatted

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """{{ order.amount_total|money:order.currency }} → €12.50, as the active language writes it"""
    return formatted(amount, currency)
