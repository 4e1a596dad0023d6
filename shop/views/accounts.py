"""Signing up, and limits for what Django's own pages about accounts do (django.contrib.auth.urls)."""

from typing import Any

from django.contrib.auth import login, views
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from shop.emails import hash_of
from shop.forms import SignupForm
from shop.jobs import defer_once
from shop.limits import TooOften, network_of, take
from shop.logins import BACKEND
from shop.views.errors import too_often_page


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def signup(request: HttpRequest) -> HttpResponse:
    """Mistakes count as well: the form says whether a name is taken."""
    if request.method == "POST":
        try:
            take(signup=network_of(request))
        except TooOften as too_often:
            return too_often_page(
                request, too_often, "Many accounts were asked for from your network of late."
            )
    form = SignupForm(request.POST or None)
    if form.is_valid() and (user := _account(form)):
        login(request, user, backend=BACKEND)
        return redirect("shop")
    return render(request, "registration/signup.html", {"form": form}, status=422 if form.is_bound else 200)


class PasswordReset(views.PasswordResetView):
    """Each sends an e-mail to whom it names, by the worker, as "find my orders" does: neither the answer nor
    the time that it takes may tell whether there is such an account.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            take(links=network_of(request))
        except TooOften as too_often:
            return too_often_page(
                request, too_often, "Many e-mails were asked for from your network of late."
            )
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        address = form.cleaned_data["email"]
        defer_once("send_password_reset", hash_of(address), email=address)
        return redirect(self.get_success_url())


class PasswordChange(views.PasswordChangeView):
    """It asks for the old password, which must not be guessed here either: by who found an open browser."""

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.request.method == "POST" and self.request.user.is_authenticated:
            try:
                take(password=f"u{self.request.user.pk}")
            except TooOften as too_often:
                said = "Your password was asked for very often of late, and stays as it is."
                return too_often_page(self.request, too_often, said)
        return super().dispatch(*args, **kwargs)


def _account(form: SignupForm) -> User | None:
    account: User = form.save(commit=False)  # the password is hashed without a transaction (shop/hashing.py)
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError:  # somebody was faster since the form was checked: a double click, most likely
        form.add_error("username", User._meta.get_field("username").error_messages["unique"])
        return None
    return account
