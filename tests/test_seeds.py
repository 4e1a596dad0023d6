"""manage.py seed_products: what the shop begins with."""

from io import StringIO

import pytest
from django.core.management import call_command

from shop.models import Product
from tests import factories

pytestmark = pytest.mark.django_db


def test_seeding_twice_keeps_what_is_there():
    call_command("seed_products", stdout=StringIO())
    assert Product.objects.count() == 3
    bell = Product.objects.get(slug="counter-bell")
    bell.revise(stock=1, name="My bell")
    factories.order(None, (bell, 1))
    out = StringIO()
    call_command("seed_products", stdout=out)

    bell.refresh_from_db()
    assert (Product.objects.count(), bell.name, bell.stock, bell.held) == (3, "My bell", 1, 1)
    assert "0 products created, 3 already there." in out.getvalue()


def test_what_is_seeded_can_be_shown_and_bought(client, settings):
    call_command("seed_products", stdout=StringIO())
    page = client.get("/").text

    for bell in Product.objects.all():
        bell.full_clean()
        assert bell.picture in page
        assert (settings.BASE_DIR / "static" / bell.picture).is_file(), bell.picture
