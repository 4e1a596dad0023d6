"""Signing up. Everything else about accounts is Django's own (django.contrib.auth.urls)."""

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from shop.forms import SignupForm


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def signup(request: HttpRequest) -> HttpResponse:
    form = SignupForm(request.POST or None)
    if form.is_valid() and (user := _account(form)):
        login(request, user)
        return redirect("shop")
    return render(request, "registration/signup.html", {"form": form}, status=422 if form.is_bound else 200)


def _account(form: SignupForm) -> User | None:
    try:
        with transaction.atomic():
            account: User = form.save()
    except IntegrityError:  # somebody was faster since the form was checked: a double click, most likely
        form.add_error("username", User._meta.get_field("username").error_messages["unique"])
        return None
    return account
