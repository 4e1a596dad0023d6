"""The export that the dashboard saves: how far it is, cancelled, failed."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_an_export_tells_how_far_it_is_and_becomes_a_file(dashboard, buys):
    rows = [buys(), buys()]
    window = dashboard()
    with window.expect_download() as download:
        window.get_by_role("link", name="Export as CSV").click()
    text = Path(download.value.path()).read_text()
    assert all(row[4:] in text for row in rows)
    assert download.value.suggested_filename.endswith(".csv")
    number = text.count("\n") - 1
    expect(window.get_by_role("status").filter(has_text="rows are in")).to_contain_text(
        f"{number} rows are in payments-"
    )
    assert window.locator("#export progress").evaluate("bar => bar.value === bar.max && bar.max") == number


def test_an_export_can_be_cancelled(dashboard, buys):
    buys()
    window = dashboard()
    # It begins and does not end.
    window.evaluate("""() => {
        const real = window.fetch;
        window.fetch = async (address, options) => {
            const response = await real(address, options);
            const body = new ReadableStream({
                start(stream) {
                    stream.enqueue(new TextEncoder().encode('head\\r\\none\\r\\ntwo\\r\\n'));
                    options.signal.addEventListener('abort', () => stream.error(options.signal.reason));
                },
            });
            return new Response(body, { headers: { 'X-Total-Rows': '5' } });
        };
    }""")
    window.get_by_role("link", name="Export as CSV").click()
    expect(window.get_by_text("2 of 5 rows")).to_be_visible()
    assert window.locator("#export progress").evaluate("bar => bar.value / bar.max") == 0.4
    window.get_by_role("button", name="Cancel", exact=True).click()
    expect(window.get_by_text("Cancelled. Nothing was saved.")).to_be_visible()
    expect(window.get_by_role("link", name="Export as CSV")).to_be_focused()


def test_an_export_that_fails_says_so(dashboard, buys):
    # The browser notes the answer in its console.
    window = dashboard(trouble="status of 503")
    window.route("**/export/**", lambda route: route.fulfill(status=503))
    window.get_by_role("link", name="Export as CSV").click()
    expect(window.get_by_text("The shop gave no good answer. Nothing was saved; try again.")).to_be_visible()
