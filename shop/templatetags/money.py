from decimal import Decimal

from django import template

from shop.money import decimals, formatted, formatted_short

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """{{ order.amount_total|money:order.currency }} → €12.50, as the active language writes it"""
    return formatted(amount, currency)


@register.filter
def short_money(amount: int, currency: str) -> str:
    """{{ 5000|short_money:"eur" }} → €50"""
    return formatted_short(amount, currency)


@register.filter
def in_units(amount: int, currency: str) -> str:
    """For scripts, with all decimals: {{ 1250|in_units:"eur" }} → 12.50"""
    return str(Decimal(amount).scaleb(-decimals(currency)))
