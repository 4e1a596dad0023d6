"""Django's admin for staff. Products are edited here; orders are read, and changed by their verbs only."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError
from django.forms import ModelForm, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from shop.models import Dispute, Order, OrderChange, OrderLine, Product, Refund, StripeEvent
from shop.money import formatted


class ShopAdmin(admin.ModelAdmin):
    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list offers as a filter. Django takes any field of the model from the address, so
        that staff could ask for what they are not shown, letter by letter: `?payload__regex=…`.
        """
        offered = {
            entry[0] if isinstance(entry, list | tuple) else entry for entry in self.get_list_filter(request)
        }
        return lookup.partition("__")[0] in offered and super().lookup_allowed(lookup, value, request)


class ProductForm(ModelForm):
    def clean_stock(self) -> int | None:
        """Staff's count must cover what is promised; a stock that they did not touch is not written."""
        stock: int | None = self.cleaned_data["stock"]
        if stock is not None and stock < self.instance.held and "stock" in self.changed_data:
            raise ValidationError("Open orders hold more than that: the stock must cover them.")
        return stock


@admin.register(Product)
class ProductAdmin(ShopAdmin):
    form = ProductForm
    list_display = ["name", "price", "stock", "held", "active"]
    list_filter = ["active"]
    search_fields = ["name", "slug"]

    @admin.display(ordering="unit_amount")
    def price(self, product: Product) -> str:
        return formatted(product.unit_amount, product.currency)

    def formfield_for_dbfield(self, *args: Any, **kwargs: Any) -> Any:
        """The form says what it showed, so that what orders changed meanwhile is not taken for staff's."""
        return super().formfield_for_dbfield(*args, show_hidden_initial=True, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> list[str]:
        """Open pages know a product by its slug."""
        return ["held", "slug"] if obj else ["held"]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Product | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["name"]}

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError as error:  # somebody came between the check of the form and its saving
            holds = "product_held_within_stock" in str(error)
            why = "open orders now hold more than that" if holds else "somebody else was faster"
            self.message_user(request, f"Not saved: {why}.", messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Product, form: ModelForm, change: bool) -> None:
        """Write only what staff changed: orders move stock and holds while the form is open."""
        if change:
            obj.revise(**{name: form.cleaned_data[name] for name in form.changed_data})
        else:
            obj.save()


class ReadOnly:
    """For what only verbs may write."""

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class OrderLineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = ["name", "quantity", "unit_amount", "missing", "restocked"]


class OrderChangeInline(ReadOnly, admin.TabularInline):
    model = OrderChange
    fields = ["version", "at", "what", "before", "after", "amount", "source", "who"]


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ["created_at", "amount", "status", "reason", "note", "failure_reason", "requested_by"]


class DisputeInline(ReadOnly, admin.TabularInline):
    model = Dispute
    fields = ["created_at", "amount", "currency", "status", "reason", "evidence_due_by"]


@admin.register(Order)
class OrderAdmin(ReadOnly, ShopAdmin):
    """What is done with an order is done on the dashboard."""

    list_display = [
        "number",
        "placed_at",
        "payment_status",
        "fulfilment_status",
        "total",
        "refunded",
        "disputed",
        "email",
        "needs_attention",
    ]
    list_filter = [
        "payment_status",
        "fulfilment_status",
        "disputed",
        ("needs_attention", admin.EmptyFieldListFilter),
    ]
    search_fields = ["public_id", "email", "stripe_session_id", "payment_intent_id"]
    inlines = [OrderLineInline, RefundInline, DisputeInline, OrderChangeInline]
    fields = [
        "dashboard",
        "public_id",
        "user",
        "email",
        "language",
        "payment_status",
        "total",
        "refunded",
        "fulfilment_status",
        "carrier",
        "tracking_url",
        "disputed",
        "needs_attention",
        "stripe_session_id",
        "payment_intent_id",
        "checkout_expires_at",
        "checked_at",
        "version",
        "placed_at",
        "paid_at",
        "updated_at",
    ]

    @admin.display(ordering="amount_total")
    def total(self, order: Order) -> str:
        return formatted(order.amount_total, order.currency)

    @admin.display(ordering="refunded_amount")
    def refunded(self, order: Order) -> str:
        return formatted(order.refunded_amount, order.currency) if order.refunded_amount else "–"

    @admin.display(description="Act on it")
    def dashboard(self, order: Order) -> str:
        address = reverse("dashboard:order", args=[order.public_id])
        return format_html('<a href="{}">Order {} on the dashboard</a>', address, order.number)


@admin.register(Refund)
class RefundAdmin(ReadOnly, ShopAdmin):
    list_display = ["__str__", "order", "sum", "status", "requested_by", "created_at"]
    list_filter = ["status"]
    search_fields = ["stripe_refund_id", "order__public_id"]
    list_select_related = ["order", "requested_by"]

    @admin.display(ordering="amount")
    def sum(self, refund: Refund) -> str:
        return formatted(refund.amount, refund.order.currency)


@admin.register(Dispute)
class DisputeAdmin(ReadOnly, ShopAdmin):
    list_display = ["__str__", "order", "sum", "status", "reason", "evidence_due_by"]
    list_filter = ["status"]
    search_fields = ["stripe_dispute_id", "order__public_id"]
    list_select_related = ["order"]

    @admin.display(ordering="amount")
    def sum(self, dispute: Dispute) -> str:
        return formatted(dispute.amount, dispute.currency)


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly, ShopAdmin):
    list_display = ["id", "type", "outcome", "attempts", "received_at", "order"]
    list_filter = ["outcome", "type"]
    search_fields = ["id"]
    exclude = ["payload"]
