"""Staff's list of payments, beside what they come to: the page that stays open all day."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop.dashboard.access import StaffRequest, may, requires
from shop.dashboard.feed import PER_PAGE, Cursor, PaymentFilter, rows
from shop.models.clock import database_moment
from shop.rights import VIEW_PAYMENTS


@require_safe
@never_cache
@requires(VIEW_PAYMENTS)
def payments(request: StaffRequest) -> HttpResponse:
    """`/dashboard/?status=…&q=…&after=<cursor>`."""
    as_of = database_moment()
    wanted = PaymentFilter.from_query(request.GET)
    after = Cursor.read(request.GET.get("after", ""))
    orders, older = rows(wanted, after)
    context = {
        "as_of": as_of,
        "filter": wanted,
        "address": f"{wanted.query}&after={after}" if after else wanted.query,
        "orders": orders,
        "after": after,
        "older": older,
        "most": PER_PAGE,
        "may": may(request),
        "section": "payments",
    }
    return render(request, "dashboard/payments.html", context)
